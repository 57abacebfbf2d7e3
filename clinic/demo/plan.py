"""Plan the clinic that `manage.py load_demo` saves: no clock, no database, the same instant gives the same plan."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from appointments.statuses import CancelledBy, Status
from clinic.core import clinic_time
from clinic.demo.names import ADULT_YEARS, DAYS_A_YEAR, DemoPatient, plan_patients

SEED = 20_260_101
DAYS_EACH_WAY = 21
DAYS_FULLY_BOOKED_AHEAD = 2
MIN_DEMAND = 0.45  # at the far end of the diaries, as a share of that of today

FATES = {Status.COMPLETED: 83, Status.NO_SHOW: 8, Status.LEFT: 2, Status.CANCELLED: 7}  # of a hundred appointments
REBOOKED = 0.4  # of the cancelled appointments: somebody else has the time
FORGOTTEN = (Status.BOOKED, Status.ARRIVED)  # what two appointments of the last working day were left as
NO_SHOW_AFTER = dt.timedelta(minutes=20)
FOLLOW_UP = 0.4  # of the appointments of patients whom the doctor knows
WITH_NOTES = 0.05
WALK_INS = 0.05  # of the appointments that were attended

CANCEL_REASONS = {
    CancelledBy.PATIENT: ("Cannot get off work", "Feels better", "Ill at home", "Travelling", "Found an earlier date"),
    CancelledBy.CLINIC: ("Doctor ill", "Urgent case took the time", "Test results not in yet", "Doctor in training"),
}
NOTES = (
    "Comes with an interpreter.",
    "Uses a wheelchair: ground-floor room.",
    "Prefers to be called by telephone.",
    "Brings earlier findings on paper.",
    "Hard of hearing.",
)


@dataclass(frozen=True)
class DemoDoctor:
    """A doctor and what their diary looks like. `hours` are clinic-local; the gap is the break."""

    full_name: str
    specialization: str
    weekdays: frozenset[int]  # Monday is 0
    hours: tuple[tuple[dt.time, dt.time], ...]
    lengths: tuple[int, ...]  # in minutes; named twice, twice as likely
    fullness: float
    ages: range  # in years, of those who come
    reasons: tuple[str, ...]

    @property
    def usual_minutes(self) -> int:
        return sorted(self.lengths)[len(self.lengths) // 2]


@dataclass(frozen=True)
class PlannedAppointment:
    """An appointment to be saved. `doctor` and `patient` are positions in the plan."""

    doctor: int
    patient: int
    start_time: dt.datetime
    duration_minutes: int
    reason: str
    notes: str = ""
    status: Status = Status.BOOKED
    arrived_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    left_at: dt.datetime | None = None
    cancelled_at: dt.datetime | None = None
    cancelled_by: str = ""
    cancel_reason: str = ""
    is_walk_in: bool = False


class Plan(NamedTuple):
    doctors: tuple[DemoDoctor, ...]
    patients: list[DemoPatient]
    appointments: list[PlannedAppointment]


def _hours(text: str) -> tuple[tuple[dt.time, dt.time], ...]:
    """Return `08:00-12:00 13:00-17:00` as times."""
    spans = (span.split("-") for span in text.split())
    return tuple((dt.time.fromisoformat(opens), dt.time.fromisoformat(closes)) for opens, closes in spans)


WEEK = frozenset(range(5))
EVERYONE = range(120)
CHILDREN = range(16)
ADULTS = range(ADULT_YEARS, 120)

_GENERAL = ("Blood pressure", "Persistent cough", "Back pain", "Vaccination", "Repeat prescription", "Health check")
_HEART = ("Palpitations", "Chest pain on exertion", "ECG", "Echocardiogram", "Pacemaker check", "Blood pressure")
_SKIN = ("Skin check", "Eczema", "Mole removal", "Acne", "Psoriasis", "Rash")
_CHILD = ("Vaccination", "Development check", "Ear ache", "Fever", "Asthma review", "Allergy test")
_BONES = ("Knee pain", "Shoulder pain", "Plaster check", "Before surgery", "After surgery", "Sprained ankle")
_MIND = ("First consultation", "Therapy session", "Sleep problems", "Medication review", "Anxiety")

# A table: name, specialization, weekdays, hours, lengths, fullness, ages, reasons.
DOCTORS = (
    DemoDoctor(
        "Dr Amara Okafor", "General practice", WEEK, _hours("08:00-12:30 13:30-17:00"),
        (15, 20, 30), 0.93, EVERYONE, _GENERAL,
    ),
    DemoDoctor(
        "Dr Lena Fischer", "Dermatology", frozenset({0, 1, 3}), _hours("09:00-13:00 14:00-17:30"),
        (15, 20, 20, 30), 0.85, EVERYONE, _SKIN,
    ),
    DemoDoctor(
        "Dr Rahul Menon", "Cardiology", frozenset({0, 1, 2, 3}), _hours("08:30-12:00 13:00-16:30"),
        (30, 30, 45), 0.82, ADULTS, _HEART,
    ),
    DemoDoctor(
        "Dr Sofia Marques", "Paediatrics", frozenset({0, 2, 3, 4}), _hours("09:00-12:30 13:30-18:00"),
        (15, 20, 30), 0.76, CHILDREN, _CHILD,
    ),
    DemoDoctor(
        "Dr Kenji Watanabe", "Orthopaedics", frozenset({1, 2, 4}), _hours("08:00-12:00 13:00-16:00"),
        (20, 30, 45), 0.8, EVERYONE, _BONES,
    ),
    DemoDoctor(
        "Dr Isla Campbell", "General practice", frozenset({0, 1, 3, 4}), _hours("10:00-14:00 14:30-18:00"),
        (15, 20, 30), 0.87, EVERYONE, _GENERAL,
    ),
    DemoDoctor(
        "Dr Nadia Haddad", "Psychiatry", frozenset({1, 2, 3}), _hours("09:00-13:00 14:00-18:00"),
        (45, 60, 60), 0.9, ADULTS, _MIND,
    ),
    DemoDoctor(
        "Dr Tomasz Zieliński", "Cardiology", frozenset({2, 4}), _hours("08:00-12:30 13:00-15:30"),
        (30, 45, 60), 0.7, ADULTS, _HEART,
    ),
)  # fmt: skip


def plan_clinic(*, at: dt.datetime) -> Plan:
    """Return the clinic as of an instant, with diaries of three weeks before and after."""
    # Not a secret: the same clinic each time is the point.
    rng = Random(SEED)  # noqa: S311  # nosec B311
    patients = plan_patients(rng, today=clinic_time.today(at=at))
    appointments = list(_Planner(rng, patients, at=at).appointments())
    return Plan(DOCTORS, patients, _with_some_forgotten(appointments, today=clinic_time.today(at=at)))


class _Planner:
    """Fills the diaries day by day. A patient comes at most once a day, so never to two doctors at once."""

    def __init__(self, rng: Random, patients: list[DemoPatient], *, at: dt.datetime) -> None:
        self.rng = rng
        self.at = at
        self.today = clinic_time.today(at=at)
        self.suited = [
            [number for number, patient in enumerate(patients) if _suits(doctor, patient, today=self.today)]
            for doctor in DOCTORS
        ]
        # Some have been registered only, and some come twice as often as others.
        self.frailty = rng.choices((0, 1, 2), weights=(1, 10, 5), k=len(patients))
        self.known: set[tuple[int, int]] = set()

    def appointments(self) -> Iterator[PlannedAppointment]:
        for distance in range(-DAYS_EACH_WAY, DAYS_EACH_WAY + 1):
            day = self.today + dt.timedelta(days=distance)
            coming: set[int] = set()
            for number, doctor in enumerate(DOCTORS):
                # Today everybody is in, even on a Sunday: an empty first page would show nothing.
                if day == self.today or day.weekday() in doctor.weekdays:
                    yield from self._diary(number, day, coming)

    def _diary(self, doctor: int, day: dt.date, coming: set[int]) -> Iterator[PlannedAppointment]:
        """Yield one doctor's day in order, and add the patients to those `coming`."""
        doctor_free_at = clinic_time.day_bounds(day)[0]
        for start, minutes in self._times(DOCTORS[doctor], day):
            again = True
            while again:
                patient = self._patient(doctor, coming)
                appointment = self._with_fate(
                    PlannedAppointment(doctor, patient, start, minutes, self._reason(doctor, patient), self._notes()),
                    doctor_free_at=doctor_free_at,
                )
                doctor_free_at = appointment.completed_at or doctor_free_at
                coming.add(patient)
                yield known_at(appointment, self.at)
                again = appointment.status == Status.CANCELLED and self.rng.random() < REBOOKED

    def _times(self, doctor: DemoDoctor, day: dt.date) -> Iterator[tuple[dt.datetime, int]]:
        """Yield start and minutes of a day's appointments, back to back or with gaps."""
        booked = doctor.fullness * self._demand(day)
        for opens, closes in doctor.hours:
            start, end = (clinic_time.instant_at(day, time, which=clinic_time.FIRST) for time in (opens, closes))
            while fitting := [minutes for minutes in doctor.lengths if start + dt.timedelta(minutes=minutes) <= end]:
                minutes = self.rng.choice(fitting)
                if self.rng.random() < booked:
                    yield start, minutes
                start += dt.timedelta(minutes=minutes)

    def _demand(self, day: dt.date) -> float:
        """Return the booked share of a diary: all up to the day after tomorrow, then less and less."""
        ahead = (day - self.today).days - DAYS_FULLY_BOOKED_AHEAD
        farthest = max(DAYS_EACH_WAY - DAYS_FULLY_BOOKED_AHEAD, 1)
        return 1 - (1 - MIN_DEMAND) * max(ahead, 0) / farthest

    def _patient(self, doctor: int, coming: set[int]) -> int:
        free = [number for number in self.suited[doctor] if number not in coming]
        return self.rng.choices(free, weights=[self.frailty[number] for number in free])[0]

    def _reason(self, doctor: int, patient: int) -> str:
        is_known = (doctor, patient) in self.known
        self.known.add((doctor, patient))
        if is_known and self.rng.random() < FOLLOW_UP:
            return "Follow-up"
        return self.rng.choice(DOCTORS[doctor].reasons)

    def _notes(self) -> str:
        return self.rng.choice(NOTES) if self.rng.random() < WITH_NOTES else ""

    def _with_fate(self, appointment: PlannedAppointment, *, doctor_free_at: dt.datetime) -> PlannedAppointment:
        fate = self.rng.choices(list(FATES), weights=list(FATES.values()))[0]
        if fate == Status.CANCELLED:
            return self._cancelled(appointment)
        if fate == Status.NO_SHOW:
            return replace(appointment, status=Status.NO_SHOW)
        if fate == Status.LEFT:
            return self._left(appointment)
        return self._attended(appointment, doctor_free_at=doctor_free_at)

    def _cancelled(self, appointment: PlannedAppointment) -> PlannedAppointment:
        day = clinic_time.local_date(min(appointment.start_time, self.at)) - dt.timedelta(days=self.rng.randint(1, 6))
        day -= dt.timedelta(days=max(day.weekday() - 4, 0))  # from a weekend back to Friday
        hour = self.rng.randint(9, 16)
        by = self.rng.choices(list(CancelledBy), weights=(3, 1))[0]
        return replace(
            appointment,
            status=Status.CANCELLED,
            cancelled_at=clinic_time.instant_at(day, dt.time(hour), which=clinic_time.FIRST) + self._minutes(0, 59),
            cancelled_by=by,
            cancel_reason=self.rng.choice(CANCEL_REASONS[by]),
        )

    def _attended(self, appointment: PlannedAppointment, *, doctor_free_at: dt.datetime) -> PlannedAppointment:
        """Set arrival, start and end: the patient waits until the doctor is free, and takes about the time booked."""
        arrived_at = appointment.start_time + self._minutes(-40, 3)
        started_at = max(
            appointment.start_time + self._minutes(-2, 8), arrived_at + self._minutes(1, 3), doctor_free_at
        )
        length = dt.timedelta(minutes=appointment.duration_minutes) * self.rng.uniform(0.85, 1.15)
        completed_at = started_at + dt.timedelta(seconds=round(length.total_seconds()))
        return replace(
            appointment,
            status=Status.COMPLETED,
            arrived_at=arrived_at,
            started_at=started_at,
            completed_at=completed_at,
            is_walk_in=self.rng.random() < WALK_INS,
        )

    def _left(self, appointment: PlannedAppointment) -> PlannedAppointment:
        """Set arrival and when the patient gave up waiting."""
        arrived_at = appointment.start_time + self._minutes(-15, 3)
        return replace(
            appointment,
            status=Status.LEFT,
            arrived_at=arrived_at,
            left_at=max(arrived_at, appointment.start_time) + self._minutes(25, 70),
        )

    def _minutes(self, fewest: int, most: int) -> dt.timedelta:
        return dt.timedelta(seconds=self.rng.randint(fewest * 60, most * 60))


def _with_some_forgotten(appointments: list[PlannedAppointment], *, today: dt.date) -> list[PlannedAppointment]:
    """Leave three completed appointments open for the close-out page: two of the last working day, one of today.

    Another of today becomes one whose patient left unseen, so that there is one at any hour.
    """
    completed: dict[dt.date, dict[int, list[int]]] = {}
    for number, appointment in enumerate(appointments):
        day = clinic_time.local_date(appointment.start_time)
        if appointment.status == Status.COMPLETED and day <= today:
            completed.setdefault(day, {}).setdefault(appointment.doctor, []).append(number)
    forgotten = list(appointments)
    if earlier := max((day for day in completed if day < today), default=None):
        for status, of_doctor in zip(FORGOTTEN, completed[earlier].values(), strict=False):
            forgotten[of_doctor[-1]] = _left_as(status, appointments[of_doctor[-1]])
    of_today = [numbers[0] for numbers in completed.get(today, {}).values()]
    for number in of_today[:1]:
        forgotten[number] = _left_as(Status.BOOKED, appointments[number])
    for number in of_today[1:2]:
        left_at = appointments[number].completed_at
        forgotten[number] = replace(_left_as(Status.ARRIVED, appointments[number]), status=Status.LEFT, left_at=left_at)
    return forgotten


def _left_as(status: Status, appointment: PlannedAppointment) -> PlannedAppointment:
    arrived_at = appointment.arrived_at if status == Status.ARRIVED else None
    is_walk_in = appointment.is_walk_in and arrived_at is not None
    return replace(
        appointment, status=status, arrived_at=arrived_at, started_at=None, completed_at=None, is_walk_in=is_walk_in
    )


def _suits(doctor: DemoDoctor, patient: DemoPatient, *, today: dt.date) -> bool:
    """Return whether the doctor treats people of the patient's age; without a date of birth, adults."""
    born = patient.date_of_birth
    age = ADULT_YEARS if born is None else int((today - born).days / DAYS_A_YEAR)
    return age in doctor.ages


def known_at(appointment: PlannedAppointment, at: dt.datetime) -> PlannedAppointment:
    """Return an appointment with the status and stamps that the clinic knows at an instant."""
    if appointment.status == Status.CANCELLED:
        return appointment
    if appointment.status == Status.NO_SHOW:
        return (
            appointment if appointment.start_time + NO_SHOW_AFTER <= at else replace(appointment, status=Status.BOOKED)
        )
    arrived_at, started_at, completed_at, left_at = (
        stamp if stamp is not None and stamp <= at else None
        for stamp in (appointment.arrived_at, appointment.started_at, appointment.completed_at, appointment.left_at)
    )
    status = Status.BOOKED
    for stamp, reached in (
        (arrived_at, Status.ARRIVED),
        (started_at, Status.IN_CONSULTATION),
        (completed_at, Status.COMPLETED),
        (left_at, Status.LEFT),
    ):
        status = reached if stamp else status
    return replace(
        appointment,
        status=status,
        arrived_at=arrived_at,
        started_at=started_at,
        completed_at=completed_at,
        left_at=left_at,
        is_walk_in=appointment.is_walk_in and arrived_at is not None,  # nobody walks in before arriving
    )
