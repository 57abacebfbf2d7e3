"""The booking page says whom a walk-in will see and when, and books what it has shown."""

from functools import partial

import pytest

from appointments.availability.search import SlotSearch, slot_query
from appointments.booking.walk_in import walk_in
from appointments.models import Appointment
from appointments.tests.booking_form import BOOK, KEY
from appointments.tests.booking_form import at as instant
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import button_values, codes_at, markup
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

at = partial(instant, day=24)  # today


@pytest.fixture
def sent(form_data):
    return form_data | {"doctor": "", "date": "2026-11-24", "time": ""}


@pytest.fixture
def menon(okafor):
    return DoctorFactory(full_name="Dr Menon", specialization="Cardiology")


def offered(response):
    return button_values(response, "walk_in")


def look(at_desk, sent):
    """Return the part of the page that follows what is chosen in the form."""
    return at_desk.post(BOOK, sent | {"look": "1"}, headers={"HX-Request": "true"})


def test_button_names_the_doctor_and_the_time(at_desk, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(9), duration_minutes=60)

    response = at_desk.get(BOOK, {"doctor": okafor.pk})

    assert offered(response) == [slot_query(okafor.pk, at(10))]
    assert "Walk-in now: Dr Okafor 10:00" in markup(response)


def test_each_specialization_is_a_choice_of_its_own(at_desk, okafor, menon):
    AppointmentFactory(doctor=okafor, start_time=at(9), duration_minutes=30)
    DoctorFactory(specialization="Cardiology", full_name="Dr Zola")

    assert offered(at_desk.get(BOOK)) == [slot_query(menon.pk, at(9, 5)), slot_query(okafor.pk, at(9, 30))]


def test_doctor_who_saw_the_patient_last_comes_first(at_desk, maria, okafor, menon):
    colleague = DoctorFactory(specialization="Cardiology", full_name="Dr Zola")
    AppointmentFactory(doctor=menon, start_time=at(9), duration_minutes=30)
    for doctor, hour, status in [(colleague, 7, "completed"), (okafor, 8, "no_show")]:
        AppointmentFactory(doctor=doctor, patient=maria, start_time=at(hour, day=23), status=status)

    response = at_desk.get(BOOK, {"patient": maria.pk})

    assert offered(response)[0] == slot_query(colleague.pk, at(9, 5))
    assert "Last seen by" in markup(response)


def test_part_for_htmx_follows_doctor_length_and_patient(at_desk, sent, maria, okafor, menon):
    AppointmentFactory(doctor=okafor, start_time=at(9, 45))
    AppointmentFactory(doctor=DoctorFactory(specialization="Cardiology"), patient=maria, start_time=at(11))

    response = look(at_desk, sent | {"doctor": okafor.pk, "duration_minutes": "60"})

    assert offered(response) == [slot_query(okafor.pk, at(11, 30))]
    assert 'id="walk-in" class="walk-in" aria-label="Walk-in" hx-swap-oob="true"' in markup(response)


def test_specialization_that_is_filtered_for_is_the_only_one(at_desk, sent, okafor, menon):
    assert offered(look(at_desk, sent | {"who": "sCardiology"})) == [slot_query(menon.pk, at(9, 5))]


def test_moving_offers_no_walk_in(at_desk, okafor):
    appointment = AppointmentFactory(doctor=okafor, start_time=at(10))

    assert offered(at_desk.get(f"/appointments/{appointment.pk}/move/")) == []


def test_evening_offers_the_next_free_times(client, receptionist, maria, okafor, now):
    now.move_to(at(17, 45))
    client.force_login(receptionist)

    response = client.get(BOOK, {"patient": maria.pk, "doctor": okafor.pk})

    assert offered(response) == []
    assert "Dr Okafor is not free for a walk-in today." in markup(response)
    assert button_values(response, "at") == [slot_query(okafor.pk, at(8, 30 * half, day=25)) for half in (0, 1)] + [
        slot_query(okafor.pk, at(9, day=25))
    ]


# What was shown is what is booked


@pytest.mark.both_databases
def test_doctor_shown_is_taken_whatever_the_form_says(at_desk, sent, okafor, menon):
    at_desk.post(BOOK, sent | {"doctor": okafor.pk, "walk_in": slot_query(menon.pk, at(9, 30))})

    walked_in = Appointment.objects.get()
    assert (walked_in.doctor, walked_in.start_time, walked_in.status) == (menon, at(9, 30), "arrived")


def test_length_is_the_usual_one_of_the_doctor_shown(at_desk, sent, okafor):
    slow = DoctorFactory(usual_minutes=60)

    at_desk.post(BOOK, sent | {"duration_minutes": "", "doctor": okafor.pk, "walk_in": slot_query(slow.pk, at(9, 5))})

    assert Appointment.objects.get().duration_minutes == 60


@pytest.mark.both_databases
def test_next_time_of_the_same_doctor_replaces_one_just_taken(at_desk, sent, okafor, menon):
    AppointmentFactory(doctor=menon, start_time=at(9), duration_minutes=30)

    response = at_desk.post(BOOK, sent | {"walk_in": slot_query(menon.pk, at(9, 5))}, follow=True)

    walked_in = Appointment.objects.get(booking_key=KEY)
    assert (walked_in.doctor, walked_in.start_time) == (menon, at(9, 30))
    (message,) = response.context["messages"]
    assert "09:30, Dr Menon. 09:05 was no longer free." in str(message)


def test_time_shown_is_taken_even_if_an_earlier_one_became_free(okafor, maria):
    search = SlotSearch(doctor_id=okafor.pk)

    assert walk_in(patient=maria, search=search, start_time=at(10), by=None).start_time == at(10)


@pytest.mark.both_databases
def test_walk_in_without_doctor_is_refused_if_it_could_be_anyone(at_desk, sent, okafor, menon):
    response = at_desk.post(BOOK, sent | {"walk_in": "1"})

    assert codes_at(response, "doctor") == ["walk_in_doctor"]
    assert not Appointment.objects.exists()


def test_walk_in_may_leave_the_doctor_open_in_one_specialization(okafor, menon):
    search = SlotSearch(specialization="Cardiology")

    assert walk_in(patient=PatientFactory(), search=search, by=None).doctor == menon


@pytest.mark.both_databases
def test_refused_walk_in_keeps_the_doctor_of_the_form(client, receptionist, sent, okafor, menon, now):
    now.move_to(at(17, 45))
    client.force_login(receptionist)

    response = client.post(BOOK, sent | {"doctor": okafor.pk, "walk_in": slot_query(menon.pk, at(17))})

    assert codes_at(response, "time") == ["no_free_time"]
    assert response.context["form"]["doctor"].value() == str(okafor.pk)
