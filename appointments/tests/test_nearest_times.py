"""A refused time: the nearest free times are offered with the message, one click each."""

import datetime as dt
from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment
from appointments.tests.booking_form import BOOK, KEY, at, form_values
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import codes_at, elements
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.usefixtures("db", "now")

OFFERS = ("nearest", "nearest_others")


def times(response, which):
    return [(slot.doctor.full_name, slot.time) for slot in response.context.get(which, [])]


def buttons(response):
    """Return the times of the buttons that book at once."""
    return [attrs["value"] for tag, attrs in elements(response) if tag == "button" and attrs.get("name") == "at"]


@pytest.fixture
def taken(okafor):
    """The appointment that conflicts with the form."""
    return AppointmentFactory(doctor=okafor, start_time=at(10))


def test_nearest_times_are_of_the_doctor_and_the_same_specialization(at_desk, form_data, okafor, taken):
    abel, _zola = DoctorFactory(full_name="Dr Abel"), DoctorFactory(full_name="Dr Zola")
    AppointmentFactory(doctor=abel, start_time=at(9), duration_minutes=120)
    DoctorFactory(full_name="Dr Lindgren", specialization="Dermatology")
    DoctorFactory(full_name="Dr Gone", is_active=False)

    response = at_desk.post(BOOK, form_data)

    assert codes_at(response, "time") == ["doctor_overlap"]
    assert times(response, "nearest") == [("Dr Okafor", "09:00"), ("Dr Okafor", "09:30"), ("Dr Okafor", "10:30")]
    assert times(response, "nearest_others") == [("Dr Zola", "09:30"), ("Dr Zola", "10:00"), ("Dr Zola", "10:30")]
    assert buttons(response) == [slot.query for which in OFFERS for slot in response.context[which]]


def test_nearest_time_is_booked_by_one_click(at_desk, form_data, taken, isolated):
    for which in OFFERS:
        with isolated(which=which):
            DoctorFactory(full_name="Dr Zola")
            refused = at_desk.post(BOOK, form_data)
            offered = refused.context[which][0]

            response = at_desk.post(BOOK, form_values(refused) | {"at": offered.query})

            booked = Appointment.objects.get(booking_key=KEY)
            assert response["Location"] == f"/schedule/2026-11-25/#v{booked.pk}"
            assert (booked.doctor, booked.start_time) == (offered.doctor, offered.start)
            assert (booked.duration_minutes, booked.reason, booked.notes) == (30, "Sore knee", "Wants the ground floor")


def test_nearest_time_taken_meanwhile_is_refused_with_others(at_desk, form_data, okafor, taken):
    refused = at_desk.post(BOOK, form_data)
    offered = refused.context["nearest"][0]
    AppointmentFactory(doctor=okafor, start_time=offered.start)

    response = at_desk.post(BOOK, form_values(refused) | {"at": offered.query})

    assert codes_at(response, "time") == ["doctor_overlap"]
    assert form_values(response)["time"] == f"{offered.time}:00"
    assert offered not in response.context["nearest"]
    assert len(response.context["nearest"]) == 3


def test_invalid_nearest_time_books_the_typed_time(at_desk, form_data, isolated):
    for at_button in ["nonsense", "", "\0", "=&=&", "doctor=x&date=2026-02-30&time=25:00"]:
        with isolated(at_button=at_button):
            response = at_desk.post(BOOK, form_data | {"at": at_button})

            assert response.status_code == 302
            assert Appointment.objects.get().start_time == at(10)


def test_nearest_times_fit_the_length_and_the_patient(at_desk, form_data, maria, okafor, taken):
    AppointmentFactory(patient=maria, start_time=at(8), duration_minutes=60)

    response = at_desk.post(BOOK, form_data | {"duration_minutes": "60"})

    assert [time for _doctor, time in times(response, "nearest")] == ["09:00", "10:30", "11:00"]


def test_nearest_times_use_the_date_in_any_format(at_desk, form_data, taken):
    response = at_desk.post(BOOK, form_data | {"date": "25/11/2026"})

    assert codes_at(response, "time") == ["doctor_overlap"]
    assert response.context["first_day"] == dt.date(2026, 11, 25)
    assert [time for _doctor, time in times(response, "nearest")] == ["09:00", "09:30", "10:30"]


def test_nearest_times_of_a_full_day_are_on_the_next_day(at_desk, form_data, okafor, taken):
    for hour in (8, 11, 14, 15):
        AppointmentFactory(doctor=okafor, start_time=at(hour), duration_minutes=180 if hour in (11, 15) else 60)
    AppointmentFactory(doctor=okafor, start_time=at(9), duration_minutes=60)
    AppointmentFactory(doctor=okafor, start_time=at(10, 30))

    response = at_desk.post(BOOK, form_data)

    assert [slot.start for slot in response.context["nearest"]] == [at(8, day=26), at(8, 30, day=26), at(9, day=26)]
    assert "Thu 26 Nov 08:00" in " ".join(response.content.decode().split())


def test_nearest_times_of_a_past_time_are_in_the_future(at_desk, form_data, isolated):
    for date in ["2026-11-23", "2026-01-05", "1900-01-01"]:
        with isolated(date=date):
            response = at_desk.post(BOOK, form_data | {"date": date})

            assert codes_at(response, "time") == ["past"]
            assert [slot.start for slot in response.context["nearest"]] == [
                at(9, 5, day=24),
                at(9, 30, day=24),
                at(10, day=24),
            ]


def test_inactive_doctor_is_replaced_by_others_of_the_specialization(at_desk, form_data, okafor):
    Doctor.objects.filter(pk=okafor.pk).update(is_active=False)
    DoctorFactory(full_name="Dr Zola")

    response = at_desk.post(BOOK, form_data)

    assert codes_at(response, "doctor") == ["inactive"]
    assert times(response, "nearest") == []
    assert times(response, "nearest_others") == [("Dr Zola", "09:30"), ("Dr Zola", "10:00"), ("Dr Zola", "10:30")]


def test_time_at_which_the_patient_is_elsewhere_has_nearest_times_too(at_desk, form_data, maria):
    AppointmentFactory(patient=maria, start_time=at(10))

    response = at_desk.post(BOOK, form_data)

    assert codes_at(response, "time") == ["patient_overlap"]
    assert [time for _doctor, time in times(response, "nearest")] == ["09:00", "09:30", "10:30"]


def test_refusal_for_another_reason_offers_no_other_time(at_desk, form_data, isolated):
    cases = [
        {"reason": "x" * 201},
        {"patient": ""},
        {"duration_minutes": "181"},
        {"date": "2026-02-30"},
        {"time": "24:00"},
        {"date": "2027-03-28", "time": "01:30"},
        {"date": "2027-10-31", "time": "01:30"},
        {"doctor": ""},
        {"doctor": "999"},
    ]
    for changes in cases:
        with isolated(changes=changes):
            response = at_desk.post(BOOK, form_data | changes)

            assert response.status_code == 200
            assert [times(response, which) for which in OFFERS] == [[], []]
            assert buttons(response) == []


def test_refused_move_offers_nearest_times_that_move_with_one_click(at_desk, form_data, okafor, taken):
    moving = AppointmentFactory(doctor=okafor, start_time=at(9, 30), duration_minutes=20)
    address = f"/appointments/{moving.pk}/move/"
    wanted = {name: form_data[name] for name in ("doctor", "date", "time", "which", "next")}
    wanted |= {"duration_minutes": "30", "version": str(moving.version)}

    refused = at_desk.post(address, wanted)
    offered = refused.context["nearest"][1]
    response = at_desk.post(address, form_values(refused) | {"at": offered.query})

    # Its own time counts as free.
    assert times(refused, "nearest") == [("Dr Okafor", "09:00"), ("Dr Okafor", "09:30"), ("Dr Okafor", "10:30")]
    assert response["Location"] == f"/schedule/2026-11-25/#v{moving.pk}"
    moving.refresh_from_db()
    assert (moving.start_time, moving.duration_minutes) == (at(9, 30), 30)


def test_nearest_time_resets_the_choice_of_a_repeated_time(at_desk, form_data, okafor):
    AppointmentFactory(doctor=okafor, start_time=dt.datetime(2027, 10, 31, 0, 30, tzinfo=dt.UTC))

    refused = at_desk.post(BOOK, form_data | {"date": "2027-10-31", "time": "01:30", "which": "0"})
    offered = refused.context["nearest"][0]
    at_desk.post(BOOK, form_values(refused) | {"at": offered.query})

    assert "which" not in parse_qs(offered.query)
    assert Appointment.objects.get(booking_key=KEY).start_time == dt.datetime(2027, 10, 31, 8, 0, tzinfo=dt.UTC)


def test_refused_booking_makes_the_same_queries_for_3_and_for_30_doctors(at_desk, form_data, taken):
    DoctorFactory.create_batch(2)
    with CaptureQueriesContext(connection) as few:
        at_desk.post(BOOK, form_data)
    DoctorFactory.create_batch(27)

    with CaptureQueriesContext(connection) as many:
        response = at_desk.post(BOOK, form_data)

    assert len(response.context["nearest_others"]) == 3
    assert queries_of(few) == queries_of(many) <= 23 + 1  # the entry of the patient shown


def queries_of(captured):
    """Return the number of queries, without the savepoints: outside of tests, they are the booking's transaction."""
    return sum("SAVEPOINT" not in query["sql"] for query in captured)
