"""Walk-ins: one button books today's next free time for a patient who is here."""

import datetime as dt
import uuid
from functools import partial

import pytest
from django.core.exceptions import ValidationError

from appointments.availability.search import SlotSearch, slot_query
from appointments.booking import actions
from appointments.booking.walk_in import walk_in
from appointments.detail.history import history_of
from appointments.models import Appointment
from appointments.tests.booking_form import BOOK, KEY, form_values
from appointments.tests.booking_form import at as instant
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.kit import button_values, codes_at, codes_in, fresh
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

at = partial(instant, day=24)  # today


@pytest.fixture
def sent(form_data):
    """The form data with nothing but a patient."""
    return form_data | {"doctor": "", "date": "2026-11-24", "time": "", "walk_in": "1"}


def test_walk_in_books_the_next_free_time_and_marks_arrival(at_desk, receptionist, sent, maria, okafor):
    response = at_desk.post(BOOK, sent)

    appointment = Appointment.objects.get()
    assert response["Location"] == f"/schedule/2026-11-24/#v{appointment.pk}"
    assert (appointment.patient, appointment.doctor, appointment.booked_by) == (maria, okafor, receptionist)
    assert (appointment.start_time, appointment.duration_minutes) == (at(9, 5), 30)
    assert (appointment.status, appointment.arrived_at) == ("arrived", at(9))
    assert (appointment.reason, appointment.notes) == ("Sore knee", "Wants the ground floor")
    assert {entry.actor for entry in AuditEntry.objects.get_for_object(appointment)} == {receptionist}


def test_walk_in_is_remembered_even_after_a_move(at_desk, receptionist, sent, okafor):
    at_desk.post(BOOK, sent)
    walk_in = Appointment.objects.get()

    actions.move(walk_in, doctor=okafor, start_time=at(11), duration_minutes=30, by=receptionist)

    assert fresh(walk_in).is_walk_in
    assert [entry.what for entry in history_of(walk_in, user=receptionist)][-1] == ["Booked as a walk-in"]


def test_appointment_booked_for_a_time_is_no_walk_in(at_desk, receptionist, form_data):
    at_desk.post(BOOK, form_data)

    booked = Appointment.objects.get()
    assert not booked.is_walk_in
    assert [entry.what for entry in history_of(booked, user=receptionist)] == [["Booked"]]


def test_walk_in_message_shows_the_booking(at_desk, sent):
    response = at_desk.post(BOOK, sent, follow=True)

    (message,) = response.context["messages"]
    assert str(message).startswith("Walk-in: Maria Santos, Tue 24 Nov 2026 09:05, Dr Okafor. <button")


def test_walk_in_is_booked_with_the_first_free_doctor(at_desk, sent, okafor):
    abel = DoctorFactory(full_name="Dr Abel")
    AppointmentFactory(doctor=abel, start_time=at(9), duration_minutes=60)
    AppointmentFactory(doctor=okafor, start_time=at(9), duration_minutes=30)

    at_desk.post(BOOK, sent)

    appointment = Appointment.objects.get(booking_key=KEY)
    assert (appointment.doctor, appointment.start_time) == (okafor, at(9, 30))


def test_walk_in_waits_for_the_chosen_doctor(at_desk, sent, okafor):
    DoctorFactory(full_name="Dr Abel")
    AppointmentFactory(doctor=okafor, start_time=at(9), duration_minutes=60)

    at_desk.post(BOOK, sent | {"doctor": okafor.pk})

    appointment = Appointment.objects.get(booking_key=KEY)
    assert (appointment.doctor, appointment.start_time) == (okafor, at(10))


def test_walk_in_finds_time_for_its_length(at_desk, sent, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(9, 45))

    at_desk.post(BOOK, sent | {"duration_minutes": "60"})

    assert Appointment.objects.get(booking_key=KEY).start_time == at(10, 15)


def test_walk_in_avoids_the_patients_other_appointments(at_desk, sent, maria, okafor):
    elsewhere = DoctorFactory(full_name="Dr Zola")
    AppointmentFactory(doctor=elsewhere, patient=maria, start_time=at(9), duration_minutes=60)

    at_desk.post(BOOK, sent)

    assert Appointment.objects.get(booking_key=KEY).start_time == at(10)


def test_walk_in_ignores_the_typed_time(at_desk, sent):
    at_desk.post(BOOK, sent | {"date": "2026-11-27", "time": "15:00"})

    assert Appointment.objects.get().start_time == at(9, 5)


def test_walk_in_before_opening_gets_the_first_time(client, receptionist, sent, now):
    now.move_to(at(6, 40))
    client.force_login(receptionist)

    client.post(BOOK, sent)

    appointment = Appointment.objects.get()
    assert (appointment.start_time, appointment.arrived_at) == (at(8), at(6, 40))


# Refusals


def assert_no_doctor_free(response, sent):
    assert codes_at(response, "time") == ["no_free_time"]
    assert list(response.context["form"].errors) == ["time"]
    assert form_values(response).items() >= {n: v for n, v in sent.items() if n != "walk_in"}.items()
    assert not Appointment.objects.filter(booking_key=KEY).exists()


def test_walk_in_is_refused_when_no_time_is_left_today(client, receptionist, sent, now, isolated):
    for hour, minute in [(17, 30), (18, 0), (23, 59)]:
        with isolated(hour=hour, minute=minute):
            now.move_to(at(hour, minute))
            client.force_login(receptionist)

            assert_no_doctor_free(client.post(BOOK, sent), sent)


def test_last_walk_in_of_the_day_ends_with_it(client, receptionist, sent, now):
    now.move_to(at(17, 29))
    client.force_login(receptionist)

    client.post(BOOK, sent)

    assert Appointment.objects.get().end_time == at(18)


def test_walk_in_is_refused_when_the_chosen_doctor_is_full(at_desk, sent, okafor):
    DoctorFactory()
    for hour in (9, 12, 15):
        AppointmentFactory(doctor=okafor, start_time=at(hour), duration_minutes=180)

    response = at_desk.post(BOOK, sent | {"doctor": str(okafor.pk)})

    assert_no_doctor_free(response, sent | {"doctor": str(okafor.pk)})


def test_walk_in_is_refused_without_active_doctors(at_desk, sent, okafor):
    Doctor.objects.update(is_active=False)

    assert_no_doctor_free(at_desk.post(BOOK, sent), sent)
    assert_no_doctor_free(at_desk.post(BOOK, sent | {"doctor": str(okafor.pk)}), sent | {"doctor": str(okafor.pk)})


def test_walk_in_is_refused_at_its_field(at_desk, sent, isolated):
    cases = [
        ({"patient": ""}, "patient", "required"),
        ({"patient": "999"}, "patient", "invalid_choice"),
        ({"duration_minutes": "14"}, "duration_minutes", "duration"),
        ({"duration_minutes": "181"}, "duration_minutes", "duration"),
        ({"reason": "x" * 201}, "reason", "max_length"),
        ({"doctor": "x"}, "doctor", "invalid_choice"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            response = at_desk.post(BOOK, sent | changes)

            assert codes_at(response, field) == [code]
            assert list(response.context["form"].errors) == [field]
            assert not Appointment.objects.exists()


def test_walk_in_with_a_search_text_finds_the_patient_first(at_desk, sent, maria):
    response = at_desk.post(BOOK, sent | {"patient": "", "patient_query": "santos"})

    assert response.context["picked"] == maria
    assert not Appointment.objects.exists()


# Sent twice


@pytest.mark.both_databases
def test_same_walk_in_sent_later_books_once(at_desk, sent, now, settings):
    settings.SESSION_IDLE_MINUTES = 30
    first = at_desk.post(BOOK, sent)
    before = Appointment.objects.values().get()
    now.shift(dt.timedelta(minutes=20))

    second = at_desk.post(BOOK, sent)

    assert first["Location"] == second["Location"]
    assert Appointment.objects.values().get() == before


@pytest.mark.both_databases
def test_two_walk_ins_do_not_overlap(at_desk, sent):
    at_desk.post(BOOK, sent)

    at_desk.post(BOOK, sent | {"patient": PatientFactory().pk, "booking_key": str(uuid.uuid4())})

    assert [appointment.start_time for appointment in Appointment.objects.all()] == [at(9, 5), at(9, 35)]


# Registered in place


@pytest.fixture
def new_patient():
    return {"patient": "", "registers": "1", "new-first_name": "Ana", "new-last_name": "Silva"} | {
        "new-email": "ana@example.org"
    }


def test_walk_in_of_a_new_patient_registers_and_books(at_desk, sent, new_patient):
    for _send in range(2):
        assert at_desk.post(BOOK, sent | new_patient).status_code == 302

    appointment = Appointment.objects.get()
    assert (appointment.patient.full_name, appointment.status, appointment.start_time) == (
        "Ana Silva",
        "arrived",
        at(9, 5),
    )
    assert Patient.objects.filter(last_name="Silva").count() == 1


@pytest.mark.both_databases
def test_walk_in_without_a_free_doctor_registers_no_patient(client, receptionist, sent, new_patient, now):
    now.move_to(at(17, 45))
    client.force_login(receptionist)

    response = client.post(BOOK, sent | new_patient)

    assert codes_at(response, "time") == ["no_free_time"]
    assert not Patient.objects.filter(last_name="Silva").exists()
    assert not Appointment.objects.exists()


def test_walk_in_of_a_possible_duplicate_asks_first(at_desk, sent, new_patient, okafor):
    namesake = PatientFactory(phone_number="934111222")
    sent |= new_patient | {"new-phone_number": "+351 934 111 222"}

    refused = at_desk.post(BOOK, sent)
    shown_with = {"new-duplicates_shown": str(namesake.pk), "new-anyway": slot_query(okafor.pk, at(9, 5))}
    del sent["walk_in"]
    response = at_desk.post(BOOK, sent | shown_with)

    assert button_values(refused, "new-anyway") == ["1", slot_query(okafor.pk, at(9, 5))]
    assert response.status_code == 302
    appointment = Appointment.objects.get()
    assert (appointment.patient.full_name, appointment.status) == ("Ana Silva", "arrived")


# The verb


@pytest.mark.both_databases
def test_walk_in_books_nothing_if_the_arrival_fails(maria, okafor, monkeypatch):
    def fail(*args, **kwargs):
        raise ValidationError({"status": ValidationError("No.", code="no")})

    monkeypatch.setattr(actions, "mark_arrived", fail)

    with pytest.raises(ValidationError) as refusal:
        walk_in(patient=maria, search=SlotSearch(), by=None)

    assert codes_in(refusal.value) == {"status": ["no"]}
    assert not Appointment.objects.exists()


def test_walk_in_uses_the_requested_specialization(maria, okafor):
    lindgren = DoctorFactory(specialization="Dermatology")

    assert walk_in(patient=maria, search=SlotSearch(specialization="Dermatology"), by=None).doctor == lindgren


@pytest.mark.both_databases
def test_walk_in_without_a_key_books_each_time(okafor):
    appointments = [
        walk_in(patient=PatientFactory(), search=SlotSearch(minutes=15), by=None) for _appointment in range(3)
    ]

    assert [appointment.start_time for appointment in appointments] == [at(9, 5), at(9, 20), at(9, 35)]


@pytest.mark.both_databases
def test_key_of_another_booking_is_refused(at_desk, form_data, sent, isolated):
    for day in [25, 24]:
        with isolated(day=day):
            at_desk.post(BOOK, form_data | {"date": f"2026-11-{day}", "time": "15:00"})
            booked = Appointment.objects.values().get()

            response = at_desk.post(BOOK, sent)

            assert codes_at(response, "__all__") == ["booking_key_used"]
            assert Appointment.objects.values().get() == booked


@pytest.mark.both_databases
def test_walk_in_sent_again_with_other_criteria_books_again(at_desk, sent, isolated):
    for change in [{"duration_minutes": "60"}, {"reason": "Other"}, {"notes": "Other"}, {"doctor": ""}]:
        with isolated(change=change):
            at_desk.post(BOOK, sent)
            booked = Appointment.objects.values().get()
            if "doctor" in change:
                change = {"doctor": DoctorFactory().pk}

            response = at_desk.post(BOOK, sent | change)

            assert codes_at(response, "__all__") == ["booking_key_used"]
            assert Appointment.objects.values().get() == booked


def test_refusal_names_the_chosen_doctor(at_desk, sent, okafor):
    for hour in (9, 12, 15):
        AppointmentFactory(doctor=okafor, start_time=at(hour), duration_minutes=180)

    response = at_desk.post(BOOK, sent | {"doctor": okafor.pk})

    assert f"{okafor} has no 30 minutes left today" in response.content.decode()


def test_walk_in_of_an_invalid_length_is_refused_at_its_field(at_desk, sent, isolated):
    for minutes in ["14", "181", "500", "9999999999999999999"]:
        with isolated(minutes=minutes):
            response = at_desk.post(BOOK, sent | {"duration_minutes": minutes})

            assert len(codes_at(response, "duration_minutes")) == 1
            assert not Appointment.objects.exists()


def test_walk_in_ignores_but_keeps_the_typed_time(at_desk, sent, maria, okafor, isolated):
    for typed_time in [{"time": "99:99"}, {"date": "2027-03-28", "time": "01:30"}, {"date": "x"}]:
        with isolated(typed_time=typed_time):
            AppointmentFactory(doctor=okafor, start_time=at(9), duration_minutes=180)
            for hour in (12, 15):
                AppointmentFactory(doctor=okafor, start_time=at(hour), duration_minutes=180)

            response = at_desk.post(BOOK, sent | typed_time)

            assert codes_at(response, "time") == ["no_free_time"]
            assert form_values(response).items() >= typed_time.items()
