"""`Patient.last_contact`: the start of the patient's last appointment, or the registration if there was none."""

import datetime as dt
import importlib
from types import SimpleNamespace

import hypothesis
import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import F, Max
from django.db.models.functions import Coalesce
from django.test.utils import CaptureQueriesContext
from hypothesis import strategies as st

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.tests.kit import NOW, START, fresh, rolled_back
from clinic.tests.properties import examples
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.privacy.anonymise import anonymise
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("db", "now")]

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def stored():
    return dict(Patient.objects.order_by("pk").values_list("pk", "last_contact"))


def computed():
    """Return what each patient's last contact is, from all appointments."""
    last = Coalesce(Max("appointments__start_time"), F("created_at"))
    return dict(Patient.objects.order_by("pk").annotate(last=last).values_list("pk", "last"))


def last_contact(patient):
    return fresh(patient).last_contact


# Registering and booking


def test_registration_is_the_first_contact():
    saved = PatientFactory()
    Patient.objects.bulk_create(
        [Patient(first_name="Ana", last_name="Lopes", email="ana@example.org", phone_number="912345678")]
    )
    imported = Patient.objects.get(email="ana@example.org")

    assert [last_contact(each) for each in (saved, imported)] == [saved.created_at, imported.created_at]
    assert saved.created_at is not None


def test_booking_is_a_contact(patient):
    AppointmentFactory(patient=patient, start_time=START + DAY)
    AppointmentFactory(patient=patient, start_time=START)

    assert last_contact(patient) == START + DAY


def test_booking_costs_no_further_query(patient, doctor, django_assert_num_queries):
    with CaptureQueriesContext(connection) as captured:
        AppointmentFactory(patient=patient, doctor=doctor)

    assert [query["sql"] for query in captured if "last_contact" in query["sql"]] == [
        query["sql"] for query in captured if query["sql"].startswith("UPDATE") and "patients_patient" in query["sql"]
    ]
    assert last_contact(patient) == START


def test_walk_in_from_before_the_registration_counts(doctor):
    patient = PatientFactory()
    registered = NOW + dt.timedelta(seconds=30)
    Patient.objects.filter(pk=patient.pk).update(created_at=registered, last_contact=registered)
    patient.refresh_from_db()

    AppointmentFactory(patient=patient, doctor=doctor, start_time=NOW)

    assert last_contact(patient) == NOW


def test_cancelled_appointment_stays_a_contact(patient, isolated):
    for status in ("cancelled", "no_show"):
        with isolated(status=status):
            appointment = AppointmentFactory(patient=patient)
            appointment.status = status
            appointment.save()
            AppointmentFactory(patient=patient, start_time=START + DAY, status=status)

            assert last_contact(patient) == START + DAY


# Changes


def test_move_to_an_earlier_time_finds_the_last_appointment(patient):
    AppointmentFactory(patient=patient, start_time=START)
    moved = AppointmentFactory(patient=patient, start_time=START + DAY)

    moved.start_time = START - 2 * HOUR
    moved.save()

    assert last_contact(patient) == START


def test_change_of_patient_counts_for_both(patient):
    appointment = AppointmentFactory()
    former = appointment.patient

    appointment.patient = patient
    appointment.save()

    assert [last_contact(former), last_contact(patient)] == [former.created_at, START]


def test_delete_finds_the_last_appointment_that_is_left(isolated):
    for delete in [lambda last: last.delete(), lambda last: Appointment.objects.filter(pk=last.pk).delete()]:
        with isolated(delete=delete):
            first = AppointmentFactory()
            last = AppointmentFactory(patient=first.patient, start_time=START + DAY)

            delete(last)
            assert last_contact(first.patient) == START

            delete(first)
            assert last_contact(first.patient) == first.patient.created_at


def test_appointments_of_an_anonymised_patient_can_be_deleted(patient, isolated):
    for delete in [lambda appointment: appointment.delete(), lambda appointment: Appointment.objects.all().delete()]:
        with isolated(delete=delete):
            appointment = AppointmentFactory(patient=patient, status="completed")
            anonymise(patient, by=None)

            delete(appointment)

            assert stored() == computed()


def test_delete_locks_the_patient_before_it_reads(patient, isolated):
    for delete in [lambda appointment: appointment.delete(), lambda appointment: Appointment.objects.all().delete()]:
        with isolated(delete=delete):
            appointment = AppointmentFactory(patient=patient)
            with CaptureQueriesContext(connection) as captured:
                delete(appointment)

            writes = [query["sql"] for query in captured if "patients_patient" in query["sql"]]
            assert ["diary_version" in sql for sql in writes] == [True, False]


def test_refused_booking_is_no_contact(patient):
    AppointmentFactory(patient=patient)
    other = AppointmentFactory(start_time=START + DAY)

    with pytest.raises(LostRace):
        AppointmentFactory(patient=patient, doctor=other.doctor, start_time=START + DAY)

    assert last_contact(patient) == START


def test_saving_a_stale_patient_does_not_set_it_back(patient):
    stale = fresh(patient)
    AppointmentFactory(patient=patient)
    stale.last_name = "Silva"

    stale.save()

    assert (last_contact(patient), fresh(patient).last_name) == (START, "Silva")


def test_booking_does_not_make_an_open_form_of_the_patient_stale(patient):
    before = fresh(patient).updated_at

    appointment = AppointmentFactory(patient=patient)
    appointment.delete()

    assert fresh(patient).updated_at == before


# Any sequence

ACTIONS = st.one_of(
    st.tuples(st.just("book"), st.integers(0, 1), st.integers(-40, 40), st.sampled_from(["booked", "cancelled"])),
    st.tuples(st.just("move"), st.integers(0, 9), st.integers(-40, 40)),
    st.tuples(st.just("give"), st.integers(0, 9), st.integers(0, 1)),
    st.tuples(st.just("set"), st.integers(0, 9), st.sampled_from(["cancelled", "no_show", "booked", "completed"])),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("delete all"), st.integers(0, 1)),
)


@pytest.fixture
def people(db, now):
    return SimpleNamespace(doctor=DoctorFactory(), patients=[PatientFactory() for _ in range(2)])


@examples(60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(actions=st.lists(ACTIONS, max_size=12))
def test_stored_is_computed_after_any_sequence_of_changes(people, actions):
    with rolled_back():
        for action in actions:
            try:
                with transaction.atomic():
                    apply(people, *action)
            except LostRace:
                pass  # the time is taken

            assert stored() == computed(), action


def apply(people, kind, which, *values):
    if kind == "book":
        hours, status = values
        start_time = NOW + hours * HOUR
        AppointmentFactory(patient=people.patients[which], doctor=people.doctor, start_time=start_time, status=status)
    elif kind == "delete all":
        Appointment.objects.filter(patient=people.patients[which]).delete()
    elif appointments := list(Appointment.objects.order_by("pk")):
        change(people, appointments[which % len(appointments)], kind, *values)


def change(people, appointment, kind, *values):
    if kind == "delete":
        appointment.delete()
        return
    if kind == "move":
        appointment.start_time = NOW + values[0] * HOUR
    elif kind == "give":
        appointment.patient = people.patients[values[0]]
    else:
        appointment.status = values[0]
    appointment.save()


# The migration


def test_migration_computes_it_for_existing_patients(patient, monkeypatch):
    migration = importlib.import_module("appointments.migrations.0011_last_contact")
    monkeypatch.setattr(migration, "BATCH", 2)
    AppointmentFactory(patient=patient, start_time=START + DAY)
    AppointmentFactory(patient=patient, start_time=START, status="cancelled")
    for _ in range(3):
        AppointmentFactory()
        PatientFactory()
    Patient.objects.update(last_contact=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))

    migration.fill(apps, None)

    assert stored() == computed()
    assert last_contact(patient) == START + DAY
