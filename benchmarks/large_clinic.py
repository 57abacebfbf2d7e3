"""A clinic of any size, written with raw SQL: doctors, and equally many patients, appointments and audit entries.

Days around today look the same at every size, 200 appointments each, so that pages of a day can be compared. A larger
clinic has a longer past. Names are made of syllables and are as unevenly frequent as real ones (Zipf's law): every
ninth patient is a Maria, every twelfth is called Silva.
"""

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Max

from appointments.models import Appointment, DayVersion
from clinic.core import clinic_time, names
from clinic.core.clinic_time import ONE_DAY
from clinic.models import AuditEntry, Event, SeenPatient
from doctors.models import Doctor, Timetable
from patients.models import NamePair, Patient, SearchKey
from patients.search_keys import keys_for, name_pairs

DOCTORS = 50
SPECIALIZATIONS = ("Cardiology", "Dermatology", "General practice", "Neurology", "Paediatrics")
APPOINTMENTS_A_DAY = 200
FUTURE_DAYS = 3  # after today, in which patients are booked
MINUTES = 30
BATCH = 5000
STRIDE = 7919  # a prime that does not divide the size, so that each patient has one appointment
Person = tuple[int, str, str, str, str]  # id, first name, last name, e-mail, phone number
_PAST_STATUSES = ("cancelled", "no_show", *["completed"] * 8)
_SYLLABLES = [first + second for first in "bcdfglmnprstv" for second in "aeiou"]
_HOURS = [(dt.time(8), dt.time(12)), (dt.time(13), dt.time(17))]


@dataclass(frozen=True)
class LargeClinic:
    """The plan of a clinic: `size` patients, appointments and audit entries each, appointments up to `last_day`."""

    size: int
    last_day: dt.date
    doctors: int = DOCTORS
    appointments_a_day: int = APPOINTMENTS_A_DAY

    def fill(self) -> None:
        """Write the clinic into an empty database."""
        doctors = _write_doctors(self.doctors)
        self.write_patients(1, self.size)
        _insert(Appointment, _APPOINTMENT_COLUMNS, self._appointments(doctors))
        _insert(DayVersion, ("doctor_id", "date", "version"), self._day_versions(doctors))
        first_entry = (AuditEntry.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
        _insert(AuditEntry, _ENTRY_COLUMNS, self._entries(first_entry))
        _insert(SeenPatient, ("entry_id", "patient_id", "timestamp"), self._seen_patients(first_entry))
        analyze()

    def write_patients(self, first: int, count: int) -> None:
        """Write patients with their search keys; their ids are `first` and the following."""
        _insert(Patient, _PATIENT_COLUMNS, map(self._patient_row, _people(first, count)))
        keys = ((pk, key) for pk, *person in _people(first, count) for key in _keys(*person))
        _insert(SearchKey, ("patient_id", "key"), keys)
        pairs = ((person[0], *pair) for person in _people(first, count) for pair in name_pairs(*person[1:3]))
        _insert(NamePair, ("patient_id", "key", "others"), pairs)

    def _patient_row(self, person: Person) -> tuple[Any, ...]:
        pk, first_name, last_name, email, phone_number = person
        born = dt.date(1930, 1, 1) + pk * 7919 % 34_000 * ONE_DAY
        start = self._start_of(self._appointment_of(pk))
        registered = start - 30 * ONE_DAY
        return (
            *(pk, first_name, last_name, email, phone_number, born, _sort_key(first_name, last_name), 0),
            *(registered, start if pk <= self.size else registered, registered),
        )

    def _start_of(self, number: int) -> dt.datetime:
        """Return the start of an appointment; number 0 is the first one of the last day."""
        day, place = divmod(number, self.appointments_a_day)
        return _midnight(self.last_day - day * ONE_DAY) + dt.timedelta(hours=8 + place // self.doctors)

    def _appointments(self, doctors: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        now = dt.datetime.now(dt.UTC)
        for number in range(self.size):
            start = self._start_of(number)
            end = start + dt.timedelta(minutes=MINUTES)
            status = _PAST_STATUSES[number % 10] if clinic_time.local_date(start) < clinic_time.today() else "booked"
            is_done, is_cancelled = status == "completed", status == "cancelled"
            doctor = doctors[number % self.appointments_a_day % len(doctors)]
            yield (
                *(number + 1, self._patient_of(number), doctor, start, MINUTES, end, status, "Check-up", ""),
                *("", f"{number:032x}", start if is_done else None, end if is_done else None),
                *(start if is_cancelled else None, "patient" if is_cancelled else "", "Ill" if is_cancelled else ""),
                *(1, min(start, now), min(start, now)),
            )

    def _day_versions(self, doctors: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """Yield a version for each doctor and date with appointments."""
        for day in range(-(-self.size // self.appointments_a_day)):
            for doctor in doctors[: self.appointments_a_day]:
                yield doctor, self.last_day - day * ONE_DAY, doctor * STRIDE + day

    def _entries(self, first: int) -> Iterator[tuple[Any, ...]]:
        """Yield the audit entries, newest first: reads of patients' records, every tenth a search for patients."""
        kind = ContentType.objects.get_for_model(Patient).pk
        for number in range(self.size):
            patient = None if number % 10 == 0 else self._patient_of(number)
            event = Event.SEARCH if patient is None else Event.READ
            yield first + number, str(patient or ""), patient, "", 3, "", self._at(number), kind, event.value, patient

    def _seen_patients(self, first_entry: int) -> Iterator[tuple[Any, ...]]:
        """Yield ten patients for each search."""
        for number in range(self.size):
            entry = number - number % 10
            yield first_entry + entry, self._patient_of(number), self._at(entry)

    def _at(self, entry: int) -> dt.datetime:
        """Return the time of an audit entry: number 0 is of this morning, and the others are five minutes apart."""
        midnight = _midnight(self.last_day - FUTURE_DAYS * ONE_DAY)
        return midnight + dt.timedelta(hours=8) - entry * dt.timedelta(minutes=5)

    def _patient_of(self, number: int) -> int:
        """Return the patient of an appointment: each patient has one, in no order."""
        return number * STRIDE % self.size + 1

    def _appointment_of(self, patient: int) -> int:
        """Return the number of the appointment of one of the first `size` patients."""
        return (patient - 1) * pow(STRIDE, -1, self.size) % self.size


def analyze() -> None:
    """Update the statistics by which the database chooses its plans."""
    tables = ", ".join(map(connection.ops.quote_name, connection.introspection.table_names()))
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE TABLE {tables}" if connection.vendor == "mysql" else "ANALYZE")
        cursor.fetchall()


# Rows

_PATIENT_COLUMNS = (
    *("id", "first_name", "last_name", "email", "phone_number", "date_of_birth", "name_key", "diary_version"),
    *("created_at", "last_contact", "updated_at"),
)
_APPOINTMENT_COLUMNS = (
    *("id", "patient_id", "doctor_id", "start_time", "duration_minutes", "end_time", "status", "reason", "notes"),
    *("outside_hours_reason", "booking_key", "arrived_at", "completed_at", "cancelled_at", "cancelled_by"),
    *("cancel_reason", "version", "created_at", "updated_at"),
)
_ENTRY_COLUMNS = (
    *("id", "object_pk", "object_id", "object_repr", "action", "changes_text", "timestamp", "content_type_id", "event"),
    "patient_id",
)


def _write_doctors(count: int) -> list[int]:
    for number in range(count):
        doctor = Doctor(full_name=f"Dr {_word(number + 40)}", specialization=SPECIALIZATIONS[number % 5])
        doctor.save()
        Timetable(doctor=doctor, week=dict.fromkeys(range(7), _HOURS)).save()
    return list(Doctor.objects.order_by("pk").values_list("pk", flat=True))


def _people(first: int, count: int) -> Iterator[Person]:
    """Yield id, first name, last name, e-mail and phone number; the same for each id, whatever the size."""
    for pk in range(first, first + count):
        rng = random.Random(pk)  # noqa: S311 -- names for a benchmark
        yield pk, *_name(rng), f"p{pk}@example.org", f"+351 9{pk:08d}"


def _name(rng: random.Random) -> tuple[str, str]:
    first, last = int(500 ** rng.random()) - 1, int(5000 ** rng.random()) - 1
    return ("Maria" if first == 0 else _word(first)), ("Silva" if last == 0 else _word(7 * last))


@lru_cache(maxsize=10_000)
def _word(number: int) -> str:
    """Return a name of three syllables, another for each number below 65 * 65 * 65."""
    length = len(_SYLLABLES)
    # Consecutive numbers differ in the first syllable, as names do.
    places = (17 * number % length, number // length % length, number // length**2 % length)
    return "".join(_SYLLABLES[place] for place in places).capitalize()


_sort_key = lru_cache(maxsize=100_000)(names.sort_key)


def _keys(first_name: str, last_name: str, email: str, phone_number: str) -> set[str]:
    return keys_for(first_name=first_name, last_name=last_name, email=email, phone_number=phone_number)


@lru_cache(maxsize=1)
def _midnight(day: dt.date) -> dt.datetime:
    return clinic_time.day_bounds(day)[0]


# Raw SQL


def _insert(model: Any, fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of the model's table; instants and UUIDs are converted as the database stores them."""
    quoted = connection.ops.quote_name
    columns = [model._meta.get_field(field) for field in fields]
    places = ", ".join(["%s"] * len(columns))
    statement = (
        f"INSERT INTO {quoted(model._meta.db_table)} ({', '.join(quoted(each.column) for each in columns)}) "
        f"VALUES ({places})"
    )
    remaining = iter(rows)
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SET unique_checks = 0, foreign_key_checks = 0")
        while batch := list(islice(remaining, BATCH)):
            cursor.executemany(statement, [tuple(map(_stored, row)) for row in batch])
        if connection.vendor == "mysql":
            cursor.execute("SET unique_checks = 1, foreign_key_checks = 1")


def _stored(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, dt.datetime) else value
