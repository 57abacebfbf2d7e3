"""The booking form: prefilled, searched, refused, sent twice."""

import datetime as dt
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.booking_form import BOOK, KEY, assert_refused, at, form_values
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.kit import codes_at, elements, markup
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

MAX_QUERIES = 24


def day_url(appointment):
    """Return the appointment's place in the day view."""
    return f"/schedule/{appointment.start_time:%Y-%m-%d}/#v{appointment.pk}"


def test_form_without_its_key_gets_a_new_one_and_then_books(at_desk, form_data, isolated):
    for key in ["", "x", "\0"]:
        with isolated(key=key):
            response = at_desk.post(BOOK, form_data | {"booking_key": key})

            assert codes_at(response, "__all__") == ["incomplete"]
            assert not Appointment.objects.exists()
            again = at_desk.post(BOOK, form_values(response))
            assert again.status_code == 302
            assert Appointment.objects.count() == 1


def test_form_with_an_invalid_hidden_field_shows_it_and_then_books(at_desk, form_data, isolated):
    for hidden in [{"which": "5"}, {"next": "a\0b"}]:
        with isolated(hidden=hidden):
            response = at_desk.post(BOOK, form_data | hidden)

            assert codes_at(response, "__all__") == ["incomplete"]
            assert at_desk.post(BOOK, form_values(response)).status_code == 302


# Opening the form


def test_form_opened_on_a_weekend_begins_with_the_next_working_day(client, receptionist, okafor, now):
    now.move_to(dt.datetime(2026, 11, 28, 9, 0, tzinfo=dt.UTC))
    client.force_login(receptionist)

    response = client.get(BOOK)

    assert response.context["form"]["date"].value() == dt.date(2026, 11, 30)
    assert response.context["first_day"] == dt.date(2026, 11, 30)


def test_url_with_an_ambiguous_time_fills_in_nothing(at_desk):
    assert at_desk.get(BOOK, {"which": "5"}).context["form"]["which"].value() is None


def test_focus_moves_to_doctor_or_time_once_the_patient_is_known(at_desk, maria, okafor):
    for query, name in (({}, "doctor"), ({"doctor": okafor.pk}, "time")):
        response = at_desk.get(BOOK, query | {"patient": maria.pk})

        assert [attrs["name"] for _tag, attrs in elements(response) if "autofocus" in attrs] == [name]


def test_form_is_filled_in_from_the_url(at_desk, maria, okafor):
    response = at_desk.get(
        BOOK, {"doctor": okafor.pk, "date": "2026-11-25", "time": "10:30", "patient": maria.pk, "minutes": "45"}
    )

    values = form_values(response)
    assert values["doctor"] == str(okafor.pk)
    assert values["date"] == "2026-11-25"
    assert values["time"] == "10:30:00"
    assert values["duration_minutes"] == "45"
    assert response.context["picked"] == maria
    assert 'value="10:30"' in response.content.decode()
    assert response.context["first_day"] == dt.date(2026, 11, 25)


def test_blank_form_has_a_new_key_and_leaves_the_length_to_the_doctor(at_desk):
    first, second = at_desk.get(BOOK), at_desk.get(BOOK)

    assert form_values(first)["duration_minutes"] == ""
    assert uuid.UUID(form_values(first)["booking_key"]) != uuid.UUID(form_values(second)["booking_key"])


def test_nonsense_in_the_url_is_ignored(at_desk, isolated):
    cases = [
        ("doctor", "x"),
        ("doctor", "-1"),
        ("doctor", "99999999999999999999999"),
        ("date", "2026-02-30"),
        ("date", "tomorrow"),
        ("time", "25:00"),
        ("time", "\0"),
        ("patient", "x"),
        ("patient", "999"),
        ("patient", "99999999999999999999999"),
        ("minutes", "-5"),
        ("minutes", "half an hour"),
    ]
    for name, value in cases:
        with isolated(name=name, value=value):
            response = at_desk.get(BOOK, {name: value})

            untouched = form_values(at_desk.get(BOOK))
            assert response.status_code == 200
            assert form_values(response) | {"booking_key": ""} == untouched | {"booking_key": ""}
            assert response.context["picked"] is None


def test_date_out_of_range_in_the_url_shows_free_times_of_today(at_desk, isolated):
    for date in ["0001-01-01", "9999-12-31"]:
        with isolated(date=date):
            response = at_desk.get(BOOK, {"date": date})

            assert response.context["first_day"] == dt.date(2026, 11, 24)


def test_opening_the_form_changes_nothing(at_desk, maria, okafor):
    before = AuditEntry.objects.writes().count()

    at_desk.get(BOOK, {"doctor": okafor.pk, "date": "2026-11-25", "time": "10:30", "patient": maria.pk, "find": "1"})

    assert not Appointment.objects.exists()
    assert AuditEntry.objects.writes().count() == before


# Finding the patient


def test_find_shows_matches_and_keeps_the_input(at_desk, form_data, maria):
    joana = PatientFactory(first_name="Joana", last_name="Santos")
    form_data |= {"patient": "", "find": "1", "patient_query": "santos"}

    response = at_desk.post(BOOK, form_data)

    assert response.context["matches"] == [joana, maria]
    assert response.context["picked"] is None
    for patient in (joana, maria):
        assert f'<button name="pick" value="{patient.pk}"' in markup(response)
    assert response.context["patient_query"] == "santos"
    for name in ("doctor", "date", "time", "duration_minutes", "reason", "notes", "booking_key"):
        assert form_values(response)[name] == form_data[name]
    assert not response.context["form"].errors
    assert not Appointment.objects.exists()


def test_single_match_is_picked_and_the_input_is_kept(at_desk, form_data, maria, isolated):
    cases = {
        "button": {"find": "1"},
        "enter": {},
    }
    for case, button in cases.items():
        with isolated(case):
            response = at_desk.post(BOOK, form_data | {"patient": "", "patient_query": "santos"} | button)

            assert response.context["picked"] == maria
            assert form_values(response) == form_data
            assert f'<input type="hidden" name="patient" value="{maria.pk}">' in response.content.decode()
            assert not response.context["form"].errors
            assert not Appointment.objects.exists()


def test_picking_a_patient_keeps_the_input(at_desk, form_data, maria):
    other = PatientFactory()

    response = at_desk.post(BOOK, form_data | {"patient": "", "patient_query": "santos", "pick": other.pk})

    assert response.context["picked"] == other
    assert form_values(response) == form_data | {"patient": str(other.pk)}
    assert not Appointment.objects.exists()


def test_picking_an_unknown_patient_asks_for_the_patient_again(at_desk, form_data, isolated):
    for pick in ["999", "x", "", "\0", "99999999999999999999"]:
        with isolated(pick=pick):
            response = at_desk.post(BOOK, form_data | {"patient": "", "pick": pick})

            assert response.status_code == 200
            assert response.context["picked"] is None
            assert not Appointment.objects.exists()


def test_search_without_a_match_shows_a_message(at_desk, form_data, isolated):
    for query in ["", "nobody", "\0", "@", "%"]:
        with isolated(query=query):
            response = at_desk.post(BOOK, form_data | {"patient": "", "find": "1", "patient_query": query})

            assert response.status_code == 200
            assert not response.context["matches"]
            assert not Appointment.objects.exists()


def test_search_while_typing_returns_only_the_matches(at_desk, form_data, maria):
    """A single match so far need not be the patient being typed."""
    response = at_desk.post(
        BOOK, form_data | {"patient": "", "find": "1", "patient_query": "santos"}, headers={"HX-Request": "true"}
    )

    assert [template.name for template in response.templates] == ["appointments/booking/_patient_matches.html"]
    assert response.content.decode().lstrip().startswith('<ul class="matches">')
    assert f'<button name="pick" value="{maria.pk}"' in markup(response)
    assert "Maria Santos" in response.content.decode()


def test_find_shows_twenty_and_says_that_there_are_more(at_desk, form_data):
    for number in range(21):
        PatientFactory(last_name=f"Silva {number:02}")

    response = at_desk.post(BOOK, form_data | {"patient": "", "find": "1", "patient_query": "silva"})

    assert len(response.context["matches"]) == 20
    assert response.context["more"]


def test_matches_show_next_appointments_with_two_queries(at_desk, form_data, maria):
    AppointmentFactory(patient=maria, doctor=DoctorFactory(full_name="Dr Lindgren"), start_time=at(14, 15, day=26))
    AppointmentFactory(patient=maria, start_time=at(14, 15, day=27))
    AppointmentFactory(patient=maria, start_time=at(8, day=20), status="completed")
    as_typed = form_data | {"patient": "", "find": "1", "patient_query": "santos"}
    with CaptureQueriesContext(connection) as for_one:
        at_desk.post(BOOK, as_typed, headers={"HX-Request": "true"})
    for _more in range(10):
        AppointmentFactory(patient__last_name="Santos", start_time=at(10, day=27))

    with CaptureQueriesContext(connection) as for_many:
        response = at_desk.post(BOOK, as_typed, headers={"HX-Request": "true"})

    page = response.content.decode()
    assert page.count('name="pick"') == 11
    assert "Next appointment Thu 26 Nov, 14:15, Dr Lindgren" in page
    assert page.count("Next appointment") == 11
    assert len(for_one) == len(for_many)


def test_changing_the_patient_keeps_the_rest(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"change_patient": "1"})

    assert response.context["picked"] is None
    assert form_values(response) == form_data | {"patient": ""}
    assert not Appointment.objects.exists()


# Taking a free time


def test_taking_a_free_time_keeps_the_input(at_desk, form_data, maria):
    lindgren = DoctorFactory(full_name="Dr Lindgren")

    response = at_desk.post(BOOK, form_data | {"take": f"doctor={lindgren.pk}&date=2026-11-26&time=11%3A30"})

    assert form_values(response) == form_data | {"doctor": str(lindgren.pk), "date": "2026-11-26", "time": "11:30:00"}
    assert response.context["picked"] == maria
    assert not Appointment.objects.exists()


def test_taking_a_short_free_time_takes_its_length(at_desk, form_data, okafor):
    response = at_desk.post(BOOK, form_data | {"take": f"doctor={okafor.pk}&date=2026-11-26&time=11%3A30&minutes=15"})

    assert form_values(response)["duration_minutes"] == "15"


def test_taking_an_invalid_time_keeps_the_input(at_desk, form_data, isolated):
    for take in ["nonsense", "", "doctor=x&date=2026-02-30", "\0", "=&=&"]:
        with isolated(take=take):
            response = at_desk.post(BOOK, form_data | {"take": take})

            assert response.status_code == 200
            assert {name: value.removesuffix(":00") or value for name, value in form_values(response).items()} == {
                name: value.removesuffix(":00") or value for name, value in form_data.items()
            }
            assert not Appointment.objects.exists()


def test_offered_free_time_can_be_taken_and_booked(at_desk, form_data, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(10))
    first_day = at_desk.get(BOOK, {"date": "2026-11-25"}).context["free_days"][0]
    (_doctor, (offered, *_later)), *_others = first_day.doctors

    taken = form_values(at_desk.post(BOOK, form_data | {"take": offered.query}))
    response = at_desk.post(BOOK, taken)

    assert response.status_code == 302
    assert Appointment.objects.get(booking_key=KEY).start_time == at(8)


# Booking


def test_booking_books_and_goes_to_that_day(at_desk, receptionist, form_data, maria, okafor):
    response = at_desk.post(BOOK, form_data)

    appointment = Appointment.objects.get()
    assert response["Location"] == f"/schedule/2026-11-25/#v{appointment.pk}"
    assert (appointment.patient, appointment.doctor, appointment.booked_by) == (maria, okafor, receptionist)
    assert (appointment.start_time, appointment.end_time) == (at(10), at(10, 30))
    assert (appointment.status, appointment.reason, appointment.notes) == (
        "booked",
        "Sore knee",
        "Wants the ground floor",
    )
    assert appointment.booking_key == uuid.UUID(KEY)


def test_booking_returns_to_the_day_view_as_it_was(at_desk, form_data, okafor):
    """The user returns to the day view, with the filters that show the appointment."""
    origin_url = f"/schedule/2026-11-24/?doctor={okafor.pk}&layout=list"
    form = at_desk.get(BOOK, headers={"Referer": f"http://testserver{origin_url}"}).context["form"]

    response = at_desk.post(BOOK, form_data | {"next": form["next"].value()})

    appointment = Appointment.objects.get()
    assert response["Location"] == f"/schedule/2026-11-25/?doctor={okafor.pk}&layout=list#v{appointment.pk}"


def test_steps_within_the_page_keep_the_return_url(at_desk, form_data):
    origin_url = "/schedule/2026-11-24/?layout=list"

    for step in ({"find": "1"}, {"look": "1"}, {"take": "time=11%3A00"}, {"change_patient": "1"}, {"time": ""}):
        assert form_values(at_desk.post(BOOK, form_data | {"next": origin_url} | step))["next"] == origin_url


def test_booking_adds_one_audit_entry_by_its_user(at_desk, receptionist, form_data):
    at_desk.post(BOOK, form_data)

    entry = AuditEntry.objects.get_for_object(Appointment.objects.get()).get()
    assert (entry.action, entry.actor) == (entry.Action.CREATE, receptionist)
    assert entry.remote_addr == "127.0.0.1"


def test_booking_makes_few_queries(at_desk, form_data, django_assert_max_num_queries):
    with django_assert_max_num_queries(MAX_QUERIES):
        response = at_desk.post(BOOK, form_data)

    assert response.status_code == 302


def test_booking_at_the_limits_is_accepted(at_desk, form_data, isolated):
    cases = [
        ({"date": "2026-11-24", "time": "09:01"}, at(9, 1, day=24), 30),
        ({"duration_minutes": "15"}, at(10), 15),
        ({"duration_minutes": "180"}, at(10), 180),
        ({"time": "10:00:59"}, at(10), 30),
        ({"date": "2027-07-01"}, dt.datetime(2027, 7, 1, 9, 0, tzinfo=dt.UTC), 30),
    ]
    for changes, start, minutes in cases:
        with isolated(changes=changes, start=start, minutes=minutes):
            response = at_desk.post(BOOK, form_data | changes)

            assert response.status_code == 302
            appointment = Appointment.objects.get()
            assert (appointment.start_time, appointment.duration_minutes) == (start, minutes)


def test_booking_adjacent_to_another_is_accepted(at_desk, form_data, maria, okafor, isolated):
    for other, minutes in [(at(9, 30), 30), (at(10, 30), 30), (at(7, 0), 180)]:
        with isolated(other=other, minutes=minutes):
            AppointmentFactory(doctor=okafor, patient=maria, start_time=other, duration_minutes=minutes)

            response = at_desk.post(BOOK, form_data)

            assert response.status_code == 302
            assert Appointment.objects.filter(booking_key=KEY).exists()


@pytest.mark.both_databases
def test_booking_can_use_the_time_of_a_cancelled_appointment(at_desk, form_data, maria, okafor):
    AppointmentFactory(
        doctor=okafor,
        patient=maria,
        start_time=at(10),
        status="cancelled",
        cancelled_by="patient",
        cancel_reason="Ill",
    )

    assert at_desk.post(BOOK, form_data).status_code == 302
    assert Appointment.objects.filter(booking_key=KEY).exists()


@pytest.mark.both_databases
def test_booking_keeps_an_emoji_in_the_reason(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"reason": "Sore knee 🦵🏽", "notes": "🙂"})

    assert response.status_code == 302
    appointment = Appointment.objects.get()
    assert (appointment.reason, appointment.notes) == ("Sore knee 🦵🏽", "🙂")


def test_reason_of_200_characters_is_accepted(at_desk, form_data):
    at_desk.post(BOOK, form_data | {"reason": "x" * 200})

    assert Appointment.objects.get().reason == "x" * 200


# Refusals


def test_booking_is_refused_at_its_field(at_desk, form_data, isolated):
    cases = [
        ({"date": "2026-11-24", "time": "08:59"}, "time", "past"),
        ({"date": "2026-11-24", "time": "09:00"}, "time", "past"),
        ({"date": "2026-11-23"}, "time", "past"),
        ({"duration_minutes": "14"}, "duration_minutes", "duration"),
        ({"duration_minutes": "181"}, "duration_minutes", "duration"),
        ({"duration_minutes": "0"}, "duration_minutes", "duration"),
        ({"duration_minutes": "half an hour"}, "duration_minutes", "invalid"),
        ({"doctor": ""}, "doctor", "required"),
        ({"doctor": "999"}, "doctor", "invalid_choice"),
        ({"doctor": "x"}, "doctor", "invalid_choice"),
        ({"doctor": "99999999999999999999"}, "doctor", "invalid_choice"),
        ({"patient": ""}, "patient", "required"),
        ({"patient": "999"}, "patient", "invalid_choice"),
        ({"patient": "x"}, "patient", "invalid_choice"),
        ({"patient": "99999999999999999999"}, "patient", "invalid_choice"),
        ({"date": ""}, "date", "required"),
        ({"date": "2026-02-30"}, "date", "invalid"),
        ({"date": "0001-01-01"}, "date", "date_range"),
        ({"date": "1899-12-31"}, "date", "date_range"),
        ({"date": "2200-01-01"}, "date", "date_range"),
        ({"date": "9999-12-31"}, "date", "date_range"),
        ({"time": ""}, "time", "required"),
        ({"time": "24:00"}, "time", "invalid"),
        ({"date": "2027-03-28", "time": "01:30"}, "time", "no_such_time"),
        ({"date": "2027-10-31", "time": "01:30"}, "which", "ambiguous_time"),
        ({"reason": "x" * 201}, "reason", "max_length"),
        ({"reason": "Sore\0knee"}, "reason", "null_characters_not_allowed"),
        ({"notes": "x" * 2001}, "notes", "max_length"),
        ({"notes": "a\0b"}, "notes", "null_characters_not_allowed"),
        ({"date": "2026-11-25\0"}, "date", "invalid"),
        ({"time": "10:00\0"}, "time", "invalid"),
        ({"doctor": "1\0"}, "doctor", "null_characters_not_allowed"),
        ({"patient": "1\0"}, "patient", "null_characters_not_allowed"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            sent = form_data | changes

            response = at_desk.post(BOOK, sent)

            assert_refused(response, sent, field, code)
            assert not Appointment.objects.exists()


def test_booking_of_an_absurd_length_is_refused_with_one_message(at_desk, form_data, isolated):
    for minutes in ["-30", "99999999999999999999"]:
        with isolated(minutes=minutes):
            response = at_desk.post(BOOK, form_data | {"duration_minutes": minutes})

            assert len(codes_at(response, "duration_minutes")) == 1
            assert not Appointment.objects.exists()


def test_refused_booking_shows_the_picked_patient_and_the_input(at_desk, form_data, maria):
    response = at_desk.post(BOOK, form_data | {"time": "24:00"})

    assert response.context["picked"] == maria
    page = response.content.decode()
    assert f'<input type="hidden" name="patient" value="{maria.pk}">' in page
    assert 'value="Sore knee"' in page
    assert "Wants the ground floor" in page
    assert 'value="24:00"' in page


def test_all_errors_are_shown_at_once(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"patient": "", "time": "24:00", "duration_minutes": "x"})

    assert set(response.context["form"].errors) == {"patient", "time", "duration_minutes"}


def test_booking_form_refuses_an_inactive_doctor(at_desk, form_data, okafor):
    okafor.is_active = False
    okafor.save()

    response = at_desk.post(BOOK, form_data)

    assert_refused(response, form_data, "doctor", "inactive")
    assert not Appointment.objects.exists()


@pytest.mark.both_databases
def test_booking_overlapping_another_of_the_doctor_is_refused(at_desk, form_data, okafor, isolated):
    cases = [(at(10), 30), (at(9, 45), 30), (at(10, 29), 15), (at(9, 31), 30), (at(10, 10), 15), (at(9), 180)]
    for other, minutes in cases:
        with isolated(other=other, minutes=minutes):
            AppointmentFactory(doctor=okafor, start_time=other, duration_minutes=minutes)

            response = at_desk.post(BOOK, form_data)

            assert_refused(response, form_data, "time", "doctor_overlap")
            assert Appointment.objects.count() == 1


def test_refusal_names_no_other_patient(at_desk, form_data, okafor):
    AppointmentFactory(
        doctor=okafor, start_time=at(10), patient=PatientFactory(first_name="Ines", last_name="Ferreira")
    )

    response = at_desk.post(BOOK, form_data)

    assert "Ferreira" not in response.content.decode()
    assert "10:00–10:30" in response.context["form"].errors["time"][0]


@pytest.mark.both_databases
def test_booking_overlapping_another_of_the_patient_is_refused(at_desk, form_data, maria):
    AppointmentFactory(patient=maria, doctor=DoctorFactory(), start_time=at(10, 15))

    response = at_desk.post(BOOK, form_data)

    assert_refused(response, form_data, "time", "patient_overlap")
    assert Appointment.objects.count() == 1


def test_booking_with_both_conflicts_reports_both(at_desk, form_data, maria, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(10))
    AppointmentFactory(patient=maria, start_time=at(10))

    response = at_desk.post(BOOK, form_data)

    assert sorted(codes_at(response, "time")) == ["doctor_overlap", "patient_overlap"]


# The repeated hour


def test_repeated_hour_asks_which_one_is_meant(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"date": "2027-10-31", "time": "01:30"})

    assert codes_at(response, "which") == ["ambiguous_time"]
    page = response.content.decode()
    assert page.count('type="radio"') == page.count('name="which"') == 2
    assert not Appointment.objects.exists()


@pytest.mark.both_databases
def test_repeated_hour_is_booked_at_the_instant_meant(at_desk, form_data, isolated):
    cases = [
        ("0", dt.datetime(2027, 10, 31, 0, 30, tzinfo=dt.UTC)),
        ("1", dt.datetime(2027, 10, 31, 1, 30, tzinfo=dt.UTC)),
    ]
    for which, start in cases:
        with isolated(which=which, start=start):
            response = at_desk.post(BOOK, form_data | {"date": "2027-10-31", "time": "01:30", "which": which})

            appointment = Appointment.objects.get()
            assert response["Location"] == day_url(appointment)
            assert appointment.start_time == start


def test_which_of_two_times_is_ignored_for_a_unique_time(at_desk, form_data):
    at_desk.post(BOOK, form_data | {"which": "1"})

    assert Appointment.objects.get().start_time == at(10)


@pytest.mark.both_databases
def test_booking_by_form_makes_few_queries(at_desk, form_data, django_assert_max_num_queries):
    # Session, user and roles; patient and doctor; both locked, their diaries, the appointment and its audit entry in a
    # transaction, here a savepoint; the message.
    with django_assert_max_num_queries(3 + 2 + 5 + 2 + 1):
        at_desk.post(BOOK, form_data)

    assert Appointment.objects.exists()


# Sent twice


@pytest.mark.both_databases
def test_same_form_sent_twice_books_once(at_desk, form_data):
    first, second = at_desk.post(BOOK, form_data), at_desk.post(BOOK, form_data)

    appointment = Appointment.objects.get()
    assert first["Location"] == second["Location"] == day_url(appointment)
    assert AuditEntry.objects.get_for_object(appointment).count() == 1


@pytest.mark.both_databases
def test_form_sent_again_after_the_start_returns_the_same_appointment(at_desk, form_data, now):
    at_desk.post(BOOK, form_data)
    now.move_to(at(10, 1))
    at_desk.force_login(Appointment.objects.get().booked_by)

    response = at_desk.post(BOOK, form_data)

    assert response["Location"] == day_url(Appointment.objects.get())


@pytest.mark.both_databases
def test_key_used_for_something_else_is_refused_and_renewed(at_desk, form_data, isolated):
    for changes in [{"time": "11:00"}, {"duration_minutes": "45"}, {"date": "2026-11-26"}]:
        with isolated(changes=changes):
            at_desk.post(BOOK, form_data)

            response = at_desk.post(BOOK, form_data | changes)

            assert codes_at(response, "__all__") == ["booking_key_used"]
            assert Appointment.objects.count() == 1
            assert uuid.UUID(form_values(response)["booking_key"]) != uuid.UUID(KEY)
            assert form_values(response)["booking_key"] in response.content.decode()
            assert form_values(response) | {"booking_key": KEY} == form_data | changes


def test_form_with_the_renewed_key_books(at_desk, form_data):
    at_desk.post(BOOK, form_data)
    again = form_values(at_desk.post(BOOK, form_data | {"time": "11:00"}))

    response = at_desk.post(BOOK, again)

    assert response["Location"] == day_url(Appointment.objects.latest("pk"))
    assert [appointment.start_time for appointment in Appointment.objects.all()] == [at(10), at(11)]


@pytest.mark.both_databases
def test_booking_between_check_and_write_wins_over_the_form(at_desk, form_data, okafor, monkeypatch):
    def lose_race(**kwargs):
        AppointmentFactory(doctor=okafor, start_time=at(10))
        return book(**kwargs)

    book = actions.book
    monkeypatch.setattr(actions, "book", lose_race)

    response = at_desk.post(BOOK, form_data)

    assert_refused(response, form_data, "time", "doctor_overlap")
    assert not Appointment.objects.filter(booking_key=KEY).exists()


def test_page_has_the_documented_url():
    assert reverse("appointments:appointment_book") == BOOK


def test_looking_for_free_times_keeps_the_input_and_shows_its_day(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"look": "1", "date": "2026-11-27", "duration_minutes": "90"})

    assert response.context["first_day"] == dt.date(2026, 11, 27)
    assert form_values(response)["reason"] == form_data["reason"]
    assert not Appointment.objects.exists()


def test_looking_for_free_times_by_htmx_returns_only_the_panel(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"look": "1"}, headers={"HX-Request": "true"})

    assert response.templates[0].name == "appointments/availability/_free_times.html"
    assert "base.html" not in [template.name for template in response.templates]
    assert response.content.decode().startswith('<aside id="free-times"')
