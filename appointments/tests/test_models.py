"""Saving appointments: every kind of write locks and checks the diaries."""

import contextlib
import copy
import datetime as dt
import pickle
import uuid

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment
from appointments.querysets import DiaryBypassed
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.models import AuditEntry
from clinic.tests.kit import START, codes_in
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("db", "now")]

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


def diary_versions(*records):
    return [type(record).objects.values_list("diary_version", flat=True).get(pk=record.pk) for record in records]


def flat_codes(refusal):
    return [code for codes in codes_in(refusal).values() for code in codes]


def create(patient, doctor, **values):
    return Appointment.objects.create(
        **{"patient": patient, "doctor": doctor, "start_time": START, "duration_minutes": 30} | values
    )


# Claims


def test_save_of_a_new_appointment_locks_both_diaries(patient, doctor):
    create(patient, doctor)

    assert diary_versions(doctor, patient) == [1, 1]


def test_save_of_a_new_nonblocking_appointment_locks_both_diaries(patient, doctor, isolated):
    for status in ["cancelled", "no_show"]:
        with isolated(status=status):
            create(patient, doctor, status=status)

            assert diary_versions(doctor, patient) == [1, 1]


def test_save_of_notes_locks_the_doctor_only():
    appointment = AppointmentFactory()

    appointment.notes = "Called back"
    appointment.save()

    assert diary_versions(appointment.doctor, appointment.patient) == [2, 1]


def test_save_of_another_time_locks_both_diaries_again():
    appointment = AppointmentFactory()

    appointment.start_time = START + HOUR
    appointment.save()

    assert diary_versions(appointment.doctor, appointment.patient) == [2, 2]


def test_save_of_another_doctor_locks_the_old_and_the_new(doctor):
    appointment = AppointmentFactory()
    old_doctor = appointment.doctor

    appointment.doctor = doctor
    appointment.save()

    assert diary_versions(old_doctor, doctor) == [2, 1]


def test_save_of_another_patient_locks_the_old_and_the_new(patient):
    appointment = AppointmentFactory()
    old_patient = appointment.patient

    appointment.patient = patient
    appointment.save()

    assert diary_versions(old_patient, patient) == [2, 1]


def test_save_locks_in_order_of_ids_doctors_first():
    first, second = DoctorFactory(pk=9), DoctorFactory(pk=16)  # a set yields 16 before 9
    appointment = AppointmentFactory(doctor=second)
    appointment.doctor = first

    with CaptureQueriesContext(connection) as captured:
        appointment.save()

    claims = [
        ("doctor" if "doctors_doctor" in query["sql"] else "patient", query["sql"].rsplit("=", 1)[1].strip(' ;`")'))
        for query in captured
        if query["sql"].startswith("UPDATE") and "diary_version" in query["sql"]
    ]
    assert claims == [("doctor", str(first.pk)), ("doctor", str(second.pk)), ("patient", str(appointment.patient_id))]


def test_save_only_runs_checks_between_lock_and_write(patient, doctor):
    with CaptureQueriesContext(connection) as captured:
        create(patient, doctor)

    words = [query["sql"].split()[0] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    before_audit = words[: words.index("INSERT") + 1]
    assert before_audit == ["UPDATE", "UPDATE", "SELECT", "INSERT"]


def test_save_without_changes_locks_nothing():
    appointment = AppointmentFactory()

    with pytest.raises(LostRace):
        create(appointment.patient, appointment.doctor)

    assert diary_versions(appointment.doctor, appointment.patient) == [1, 1]


# Overlap


def test_save_alone_refuses_a_doctor_overlap(patient, isolated):
    cases = {
        "equal": (0, 30),
        "inside": (5, 15),
        "containing": (-30, 120),
        "beginning": (-1, 15),
        "end by a minute": (29, 15),
        "beginning by a minute": (-14, 15),
    }
    for case, (minute, minutes) in cases.items():
        with isolated(case):
            existing = AppointmentFactory()

            with pytest.raises(LostRace) as refusal:
                create(patient, existing.doctor, start_time=START + minute * MINUTE, duration_minutes=minutes)

            assert flat_codes(refusal.value) == ["doctor_overlap"]
            assert Appointment.objects.get() == existing


def test_save_alone_refuses_a_patient_overlap(doctor):
    existing = AppointmentFactory()

    with pytest.raises(LostRace) as refusal:
        create(existing.patient, doctor)

    assert flat_codes(refusal.value) == ["patient_overlap"]
    assert Appointment.objects.get() == existing


def test_save_alone_refuses_an_inactive_doctor(patient):
    with pytest.raises(LostRace) as refusal:
        create(patient, DoctorFactory(is_active=False))

    assert flat_codes(refusal.value) == ["inactive"]
    assert not Appointment.objects.exists()


def test_save_of_touching_appointments_is_accepted(isolated):
    for minute in [-30, 30]:
        with isolated(minute=minute):
            existing = AppointmentFactory()

            create(existing.patient, existing.doctor, start_time=START + minute * MINUTE)

            assert Appointment.objects.count() == 2


# A change by which an appointment takes the time of `booked`, and its values before.
INTO_TAKEN_TIME = {
    "start_time": lambda booked: (create(booked.patient, booked.doctor, start_time=START + HOUR), START),
    "duration_minutes": lambda booked: (create(booked.patient, booked.doctor, start_time=START - HOUR), 61),
    "doctor": lambda booked: (AppointmentFactory(), booked.doctor),
    "patient": lambda booked: (AppointmentFactory(), booked.patient),
    "status": lambda booked: (create(booked.patient, booked.doctor, status="cancelled"), Status.BOOKED),
}


def test_save_alone_refuses_a_change_into_taken_time(isolated):
    for field, prepare in INTO_TAKEN_TIME.items():
        with isolated(field):
            appointment, value = prepare(AppointmentFactory())

            setattr(appointment, field, value)
            with pytest.raises(LostRace) as refusal:
                appointment.save()

            assert set(flat_codes(refusal.value)) <= {"doctor_overlap", "patient_overlap"}
            appointment.refresh_from_db()
            assert getattr(appointment, field) != value


def test_save_of_an_appointment_within_its_own_time_is_accepted():
    appointment = AppointmentFactory()

    appointment.start_time = START + 10 * MINUTE
    appointment.save()

    assert Appointment.objects.get().start_time == START + 10 * MINUTE


def test_update_or_create_refuses_taken_time(patient):
    existing = AppointmentFactory()
    other = create(patient, existing.doctor, start_time=START + HOUR)

    with pytest.raises(LostRace):
        Appointment.objects.update_or_create(pk=other.pk, defaults={"start_time": START})

    other.refresh_from_db()
    assert other.start_time == START + HOUR


def test_copy_of_an_appointment_saved_as_new_is_refused():
    copied = copy.copy(AppointmentFactory())
    copied.pk, copied._state.adding, copied.booking_key = None, True, uuid.uuid4()

    with pytest.raises(LostRace):
        copied.save()

    assert Appointment.objects.count() == 1


def test_pickled_appointment_still_knows_its_original_values(patient):
    existing = AppointmentFactory()
    other = pickle.loads(pickle.dumps(create(patient, existing.doctor, start_time=START + HOUR)))

    other.start_time = START
    with pytest.raises(LostRace):
        other.save()

    assert Appointment.objects.get(pk=other.pk).start_time == START + HOUR


# Partial saves


def test_save_of_some_fields_writes_dependent_fields():
    appointment = AppointmentFactory()

    appointment.duration_minutes = 60
    appointment.save(update_fields=["duration_minutes"])

    stored = Appointment.objects.get()
    assert (stored.duration_minutes, stored.end_time, stored.version) == (60, START + HOUR, 2)


def test_save_of_some_fields_refuses_taken_time(patient):
    existing = AppointmentFactory()
    other = create(patient, existing.doctor, start_time=START + HOUR)

    other.start_time = START
    with pytest.raises(LostRace):
        other.save(update_fields=["start_time"])

    assert Appointment.objects.get(pk=other.pk).start_time == START + HOUR


def test_save_of_the_start_alone_checks_the_stored_diary(patient, doctor, isolated):
    for changed, value in [("doctor", None), ("status", Status.CANCELLED)]:
        with isolated(changed=changed, value=value):
            existing = AppointmentFactory()
            other = create(patient, existing.doctor, start_time=START + HOUR)
            setattr(other, changed, value or doctor)
            other.start_time = START

            with contextlib.suppress(LostRace):
                other.save(update_fields=["start_time"])

            blocking = Appointment.objects.blocking().for_doctor(existing.doctor_id).overlapping(START, START + HOUR)
            assert blocking.count() == 1


def test_save_of_the_start_alone_keeps_length_and_end_consistent():
    appointment = AppointmentFactory()

    appointment.duration_minutes = 60
    appointment.save(update_fields=["start_time"])

    stored = Appointment.objects.get()
    assert stored.end_time - stored.start_time == dt.timedelta(minutes=stored.duration_minutes)


# Deferred fields and refresh


in_each_part = [
    lambda: Appointment.objects.only("notes"),
    lambda: Appointment.objects.defer("notes"),
    lambda: Appointment.objects.defer("start_time"),
    lambda: Appointment.objects.defer("duration_minutes"),
    lambda: Appointment.objects.defer("status", "version"),
    lambda: Appointment.objects.defer("doctor", "patient"),
]


def test_deferred_save_of_notes_works(isolated):
    for read_in_part in in_each_part:
        with isolated(read_in_part=read_in_part):
            AppointmentFactory()

            appointment = read_in_part().get()
            appointment.notes = "Called back"
            appointment.save()

            stored = Appointment.objects.get()
            assert (stored.notes, stored.start_time, stored.end_time) == ("Called back", START, START + 30 * MINUTE)
            assert stored.version == 2


def test_deferred_save_of_another_time_works(isolated):
    for read_in_part in in_each_part:
        with isolated(read_in_part=read_in_part):
            AppointmentFactory()

            appointment = read_in_part().get()
            appointment.start_time = START + HOUR
            appointment.save()

            stored = Appointment.objects.get()
            assert (stored.start_time, stored.end_time) == (START + HOUR, START + HOUR + 30 * MINUTE)


def test_deferred_save_of_taken_time_is_refused(isolated):
    for read_in_part in in_each_part:
        with isolated(read_in_part=read_in_part):
            existing = AppointmentFactory()
            other = create(PatientFactory(), existing.doctor, start_time=START + HOUR)

            in_part = read_in_part().get(pk=other.pk)
            in_part.start_time = START
            with pytest.raises(LostRace):
                in_part.save()

            other.refresh_from_db()
            assert other.start_time == START + HOUR


def test_deferred_save_of_a_taken_doctor_is_refused(isolated):
    for read_in_part in in_each_part:
        with isolated(read_in_part=read_in_part):
            existing = AppointmentFactory()
            other = AppointmentFactory()

            in_part = read_in_part().get(pk=other.pk)
            in_part.doctor = existing.doctor
            with pytest.raises(LostRace):
                in_part.save()

            assert Appointment.objects.get(pk=other.pk).doctor_id == other.doctor_id


def test_deferred_save_of_a_longer_taken_time_is_refused(isolated):
    for read_in_part in in_each_part:
        with isolated(read_in_part=read_in_part):
            existing = AppointmentFactory()
            other = create(PatientFactory(), existing.doctor, start_time=START - HOUR)

            in_part = read_in_part().get(pk=other.pk)
            in_part.duration_minutes = 61
            with pytest.raises(LostRace):
                in_part.save()

            assert Appointment.objects.get(pk=other.pk).duration_minutes == 30


def test_deferred_save_of_a_blocking_status_in_taken_time_is_refused(isolated):
    for read_in_part in in_each_part:
        with isolated(read_in_part=read_in_part):
            cancelled = AppointmentFactory(status=Status.CANCELLED)
            create(PatientFactory(), cancelled.doctor)

            in_part = read_in_part().get(pk=cancelled.pk)
            in_part.status = Status.BOOKED
            with pytest.raises(LostRace):
                in_part.save()

            assert Appointment.objects.get(pk=cancelled.pk).status == Status.CANCELLED


def test_deferred_clean_of_a_start_in_the_past_is_refused(isolated):
    for read_in_part in in_each_part:
        with isolated(read_in_part=read_in_part):
            AppointmentFactory()

            in_part = read_in_part().get()
            in_part.start_time = START - DAY
            with pytest.raises(ValidationError) as refusal:
                in_part.full_clean()

            assert flat_codes(refusal.value) == ["past"]


def test_deferred_save_of_another_doctor_locks_both(isolated):
    for read_in_part in in_each_part:
        with isolated(read_in_part=read_in_part):
            old_doctor, doctor = AppointmentFactory().doctor, DoctorFactory()

            in_part = read_in_part().get()
            in_part.doctor = doctor
            in_part.save()

            assert diary_versions(old_doctor, doctor) == [2, 1]


def test_refresh_of_some_fields_keeps_changes_of_others(patient, isolated):
    for fields in [["notes"], ["version"], ["status", "reason"], ["end_time"]]:
        with isolated(fields=fields):
            existing = AppointmentFactory()
            other = create(patient, existing.doctor, start_time=START + HOUR)

            other.start_time = START
            other.refresh_from_db(fields=fields)
            with pytest.raises(LostRace):
                other.save()

            assert Appointment.objects.get(pk=other.pk).start_time == START + HOUR


def test_refresh_discards_a_change():
    appointment = AppointmentFactory()

    appointment.start_time = START + HOUR
    appointment.refresh_from_db()
    appointment.save()

    assert Appointment.objects.get().start_time == START


def test_refresh_reads_changes_by_others():
    appointment = AppointmentFactory()
    other = Appointment.objects.get()
    other.notes = "Called back"
    other.save()

    appointment.refresh_from_db()
    appointment.reason = "Knee"
    appointment.save()

    stored = Appointment.objects.get()
    assert (stored.notes, stored.reason, stored.version) == ("Called back", "Knee", 3)


# Versions


def test_version_counts_changes():
    appointment = AppointmentFactory()

    versions = [appointment.version]
    for notes in ("one", "two"):
        appointment.notes = notes
        appointment.save()
        versions.append(Appointment.objects.values_list("version", flat=True).get())

    assert versions == [1, 2, 3]


def test_save_of_a_stale_appointment_is_refused(isolated):
    for options in [{}, {"update_fields": ["notes"]}]:
        with isolated(options=options):
            AppointmentFactory()
            stale, quicker = Appointment.objects.get(), Appointment.objects.get()
            quicker.status = Status.ARRIVED
            quicker.save()

            stale.notes = "Called back"
            with pytest.raises(LostRace) as refusal:
                stale.save(**options)

            stored = Appointment.objects.get()
            assert flat_codes(refusal.value) == ["stale"]
            assert (stored.status, stored.notes) == ("arrived", "")


def test_save_of_an_appointment_deleted_meanwhile_does_not_bring_it_back():
    appointment = AppointmentFactory()
    Appointment.objects.all().delete()

    appointment.notes = "Called back"
    with pytest.raises((LostRace, DatabaseError, Appointment.DoesNotExist)):
        appointment.save()

    assert not Appointment.objects.exists()


def test_refused_instance_can_be_saved_at_another_time(patient):
    existing = AppointmentFactory()
    appointment = Appointment(patient=patient, doctor=existing.doctor, start_time=START)
    with pytest.raises(LostRace):
        appointment.save()

    appointment.start_time = START + HOUR
    appointment.save()

    assert Appointment.objects.get(pk=appointment.pk).version == 1


def test_instance_refused_by_the_database_can_be_saved_again(patient, doctor):
    appointment = Appointment(patient=patient, doctor=doctor, start_time=START, duration_minutes=5)
    with pytest.raises(IntegrityError):
        appointment.save()

    appointment.duration_minutes = 15
    appointment.save()

    assert Appointment.objects.get() == appointment


def test_instance_rolled_back_after_the_write_can_be_saved_again(monkeypatch, patient, doctor):
    appointment = Appointment(patient=patient, doctor=doctor, start_time=START)
    with monkeypatch.context() as patch:
        patch.setattr(AuditEntry, "save", fail)
        with pytest.raises(AuditTrailDown):
            appointment.save()

    appointment.save()

    assert Appointment.objects.get() == appointment
    assert diary_versions(doctor, patient) == [1, 1]


def test_rolled_back_change_does_not_count_as_a_version(monkeypatch):
    appointment = AppointmentFactory()
    appointment.notes = "Called back"
    with monkeypatch.context() as patch:
        patch.setattr(AuditEntry, "save", fail)
        with pytest.raises(AuditTrailDown):
            appointment.save()

    appointment.save()

    assert appointment.version == Appointment.objects.get().version == 2


class AuditTrailDown(Exception):
    pass


def fail(*args, **kwargs):
    raise AuditTrailDown


def test_refused_save_adds_no_audit_entry(patient):
    existing = AppointmentFactory()
    before = AuditEntry.objects.count()

    with pytest.raises(LostRace):
        create(patient, existing.doctor)

    assert AuditEntry.objects.count() == before


# Database constraints


def test_database_refuses_an_invalid_length(patient, doctor, isolated):
    for minutes in [0, 5, 14, 181, 600]:
        with isolated(minutes=minutes):
            with pytest.raises(IntegrityError), transaction.atomic():
                create(patient, doctor, duration_minutes=minutes)

            assert not Appointment.objects.exists()


def test_database_accepts_the_shortest_and_the_longest(patient, doctor, isolated):
    for minutes in [15, 180]:
        with isolated(minutes=minutes):
            create(patient, doctor, duration_minutes=minutes)

            assert Appointment.objects.get().end_time == START + minutes * MINUTE


def test_database_refuses_an_end_that_does_not_fit_the_start(isolated):
    for minutes in [-30, 0, 181]:
        with isolated(minutes=minutes):
            appointment = AppointmentFactory()

            with pytest.raises(IntegrityError), transaction.atomic():
                set_raw(appointment, end_time=START + minutes * MINUTE)


def test_database_refuses_a_booking_key_twice(doctor):
    existing = AppointmentFactory()

    with pytest.raises(IntegrityError), transaction.atomic():
        create(PatientFactory(), doctor, booking_key=existing.booking_key)


def set_raw(appointment, **values):
    """Change a row by SQL, bypassing the models."""
    columns = ", ".join(f"{name} = %s" for name in values)
    with connection.cursor() as cursor:
        adapted = [connection.ops.adapt_datetimefield_value(value) for value in values.values()]
        cursor.execute(f"UPDATE appointments_appointment SET {columns} WHERE id = %s", [*adapted, appointment.pk])


# Times


def test_save_cuts_seconds(patient, doctor):
    appointment = create(patient, doctor, start_time=START.replace(second=59, microsecond=999_999))

    stored = Appointment.objects.get()
    assert appointment.start_time == stored.start_time == START
    assert appointment.end_time == stored.end_time == START + 30 * MINUTE


def test_save_sets_the_end_regardless_of_input(patient, doctor):
    create(patient, doctor, end_time=START + 3 * HOUR, duration_minutes=45)

    assert Appointment.objects.get().end_time == START + 45 * MINUTE


def test_save_refuses_fractions_of_a_minute(patient, doctor):
    with pytest.raises(ValidationError) as refusal:
        create(patient, doctor, duration_minutes=30.5)

    assert refusal.value.code == "duration"
    assert not Appointment.objects.exists()


def test_save_of_a_time_in_another_zone_stores_the_instant(patient, doctor):
    kathmandu = dt.timezone(dt.timedelta(hours=5, minutes=45))

    create(patient, doctor, start_time=dt.datetime(2026, 11, 24, 15, 45, tzinfo=kathmandu))

    assert Appointment.objects.get().start_time == START


def test_save_of_the_same_instant_in_another_zone_is_no_change():
    appointment = AppointmentFactory()

    appointment.start_time = START.astimezone(dt.timezone(HOUR))
    appointment.save()

    assert diary_versions(appointment.patient) == [1]


def test_save_of_a_time_without_zone_is_refused(patient, doctor):
    with pytest.raises(ValidationError) as refusal:
        create(patient, doctor, start_time=dt.datetime(2026, 11, 24, 10, 0))  # noqa: DTZ001 -- what it is about

    assert flat_codes(refusal.value) == ["naive"]
    assert not Appointment.objects.exists()


def test_save_ends_across_the_spring_clock_change_by_elapsed_time(patient, doctor):
    start_time = dt.datetime(2026, 3, 29, 0, 45, tzinfo=dt.UTC)

    create(patient, doctor, start_time=start_time, duration_minutes=60)

    assert Appointment.objects.get().end_time - start_time == HOUR


def test_clean_of_a_year_at_the_end_of_the_calendar_is_refused(patient, doctor, subtests):
    for year in [1, 9999]:
        with subtests.test(year=year):
            start_time = dt.datetime(year, 1 if year == 1 else 12, 1 if year == 1 else 31, 23, 59, tzinfo=dt.UTC)

            with pytest.raises(ValidationError) as refusal:
                Appointment(patient=patient, doctor=doctor, start_time=start_time).full_clean()

            assert flat_codes(refusal.value) == ["date_range"]


# Old appointments


def test_notes_of_an_old_appointment_can_be_edited(now, isolated):
    for status in Status:
        with isolated(status=status):
            appointment = AppointmentFactory(status=status, cancelled_by="patient", cancel_reason="Ill")
            now.move_to(START + 30 * DAY)

            appointment.notes = "Called back"
            appointment.full_clean()
            appointment.save()

            assert Appointment.objects.get().notes == "Called back"


def test_notes_of_an_old_appointment_of_an_inactive_doctor_are_editable(now):
    appointment = AppointmentFactory()
    now.move_to(START + 30 * DAY)
    appointment.doctor.is_active = False
    appointment.doctor.save()

    appointment.notes = "Called back"
    appointment.full_clean()
    appointment.save()

    assert Appointment.objects.get().notes == "Called back"


# Writes that would bypass save()


def test_bulk_create_is_refused(patient, doctor):
    with pytest.raises(DiaryBypassed):
        Appointment.objects.bulk_create([Appointment(patient=patient, doctor=doctor, start_time=START)])

    assert not Appointment.objects.exists()


def test_bulk_update_is_refused(isolated):
    for fields in [["start_time"], ["notes"]]:
        with isolated(fields=fields):
            appointment = AppointmentFactory()
            appointment.start_time, appointment.notes = START + HOUR, "Called back"

            with pytest.raises(DiaryBypassed), transaction.atomic():
                Appointment.objects.bulk_update([appointment], fields)

            stored = Appointment.objects.get()
            assert (stored.start_time, stored.notes) == (START, "")


def test_update_of_fields_that_diaries_depend_on_is_refused(isolated):
    cases = ["doctor", "doctor_id", "patient", "patient_id", "start_time", "end_time", "duration_minutes", "status"]
    for column in cases:
        with isolated(column=column):
            appointment = AppointmentFactory()
            values = {
                "doctor": DoctorFactory(),
                "doctor_id": appointment.doctor_id,
                "patient": PatientFactory(),
                "patient_id": appointment.patient_id,
                "start_time": START + HOUR,
                "end_time": START + HOUR,
                "duration_minutes": 60,
                "status": Status.CANCELLED,
            }

            with pytest.raises(DiaryBypassed):
                Appointment.objects.filter(pk=appointment.pk).update(notes="Called back", **{column: values[column]})

            assert Appointment.objects.get().notes == ""


def test_update_of_notes_is_allowed():
    AppointmentFactory()

    changed = Appointment.objects.update(notes="Called back")

    assert changed == 1
    assert Appointment.objects.get().notes == "Called back"


def test_related_manager_add_is_refused(isolated):
    for make in [DoctorFactory, PatientFactory]:
        with isolated(make=make):
            existing = AppointmentFactory()
            owner = make()

            with pytest.raises(DiaryBypassed), transaction.atomic():
                owner.appointments.add(existing)

            assert owner.appointments.count() == 0


def test_related_manager_set_is_refused(isolated):
    for make in [DoctorFactory, PatientFactory]:
        with isolated(make=make):
            existing = AppointmentFactory()
            owner = make()

            with pytest.raises(DiaryBypassed), transaction.atomic():
                owner.appointments.set([existing])

            assert owner.appointments.count() == 0


def test_related_manager_add_one_by_one_goes_through_save(doctor):
    taken = AppointmentFactory(doctor=doctor)
    other = AppointmentFactory()

    with pytest.raises(LostRace), transaction.atomic():
        doctor.appointments.add(other, bulk=False)

    assert list(doctor.appointments.all()) == [taken]


def test_related_manager_create_goes_through_save(patient):
    existing = AppointmentFactory()

    with pytest.raises(LostRace):
        existing.doctor.appointments.create(patient=patient, start_time=START)

    assert existing.doctor.appointments.count() == 1


def test_related_manager_update_and_bulk_create_are_refused(isolated):
    for model in [Doctor, Patient]:
        with isolated(model=model):
            AppointmentFactory()
            owner = model.objects.get()

            with pytest.raises(DiaryBypassed):
                owner.appointments.update(start_time=START + HOUR)
            with pytest.raises(DiaryBypassed):
                owner.appointments.bulk_create([])


def test_str_has_doctor_and_clinic_time(settings):
    settings.TIME_ZONE = "Asia/Kathmandu"
    appointment = AppointmentFactory(doctor=DoctorFactory(full_name="Dr Silva"))

    assert str(appointment) == "Tue 24 Nov 2026 15:45, Dr Silva"
