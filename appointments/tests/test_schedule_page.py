"""The page of the day view: its content, filters, permissions and queries."""

import datetime as dt

import pytest
from django.db import connection, models
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from appointments.availability.search import slot_query
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import at, elements
from doctors.models import Doctor
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TODAY = "/schedule/2026-11-24/"
MAX_QUERIES = 8


def with_class(response, name):
    return [attrs for _tag, attrs in elements(response) if name in attrs.get("class", "").split()]


def hrefs(response):
    return [attrs["href"] for tag, attrs in elements(response) if tag == "a" and "href" in attrs]


def shown_doctors(response):
    return [column.doctor.full_name for column in response.context["day"].columns]


@pytest.fixture
def okafor():
    return DoctorFactory(full_name="Dr Okafor", specialization="Cardiology")


@pytest.fixture
def lindgren():
    return DoctorFactory(full_name="Dr Lindgren", specialization="Dermatology")


@pytest.fixture
def maria():
    return PatientFactory(first_name="Maria", last_name="Santos", phone_number="912 345 678")


# Content


def test_schedule_shows_the_day(at_desk, okafor, maria, isolated):
    for address in ["/", "/schedule/", TODAY]:
        with isolated(address=address):
            AppointmentFactory(doctor=okafor, patient=maria, reason="Sore knee")
            AppointmentFactory(doctor=okafor, start_time=at(10, day=25), reason="Tomorrow")

            response = at_desk.get(address)

            assert response.context["day"].date == dt.date(2026, 11, 24)
            (block,) = response.context["day"].listed
            assert (block.time, block.patient.name, block.patient.reason) == ("10:00", "Maria Santos", "Sore knee")
            assert "Maria Santos" in response.content.decode()
            assert "Tomorrow" not in response.content.decode()


def test_block_is_placed_by_start_and_length(at_desk, okafor):
    for start, minutes in ((at(8), 15), (at(10), 30), (at(10, 45), 45), (at(11, 40), 100)):
        AppointmentFactory(doctor=okafor, start_time=start, duration_minutes=minutes)

    response = at_desk.get(TODAY)

    assert [
        " ".join(name for name in attrs["class"].split() if name.startswith(("at-", "for-", "q")))
        for attrs in with_class(response, "block")
    ] == [
        "for-m15",
        "q8",
        "q11 for-m45",
        "at-h3 at-m40 for-h1 for-m40",
    ]


def test_block_outside_the_usual_hours_extends_the_grid(at_desk, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(6, 30))

    response = at_desk.get(TODAY)

    (block,) = with_class(response, "block")
    assert block["class"].split() == ["block", "status-booked", "q2", "is-due"]
    assert response.context["day"].hours[0].label == "06:00"


def test_block_shows_its_status_by_class_and_in_words(at_desk, okafor):
    AppointmentFactory(doctor=okafor, status="arrived", arrived_at=at(9))

    response = at_desk.get(TODAY)

    (block,) = with_class(response, "block")
    assert "status-arrived" in block["class"].split()
    (link,) = with_class(response, "open")
    assert "· Arrived ·" in link["title"]
    assert "<em>Arrived</em>" in response.content.decode()


def test_present_time_is_marked(at_desk, okafor):
    response = at_desk.get(TODAY)

    assert {attrs["data-minute"] for attrs in with_class(response, "now-line")} == {"60"}
    assert with_class(response, "now-line")[0]["class"].split() == ["now-line", "q4", "for-m0"]


def test_other_days_do_not_mark_the_present_time(at_desk, okafor):
    assert with_class(at_desk.get("/schedule/2026-11-25/"), "now-line") == []


def test_counts_are_by_status_and_appointments_by_doctor(at_desk, okafor, lindgren):
    AppointmentFactory(doctor=okafor, start_time=at(8), status="arrived", arrived_at=at(8))
    AppointmentFactory(doctor=okafor, start_time=at(9))
    AppointmentFactory(doctor=okafor, start_time=at(10), status="no_show")
    AppointmentFactory(doctor=lindgren, start_time=at(9))
    AppointmentFactory(
        doctor=lindgren, start_time=at(10), status="cancelled", cancelled_by="patient", cancel_reason="Ill"
    )

    day = at_desk.get(TODAY).context["day"]

    assert day.counts == [("booked", 2), ("arrived", 1), ("no_show", 1), ("cancelled", 1)]
    assert [(column.doctor, column.appointments) for column in day.columns] == [(lindgren, 1), (okafor, 2)]


def test_cancelled_appointment_is_listed_and_drawn_as_a_ghost(at_desk, okafor, maria):
    appointment = AppointmentFactory(
        doctor=okafor, patient=maria, status="cancelled", cancelled_by="patient", cancel_reason="Ill"
    )

    grid, as_list = at_desk.get(TODAY), at_desk.get(f"{TODAY}?layout=list&tab=all")

    (ghost,) = with_class(grid, "block")
    assert "is-ghost" in ghost["class"].split()
    (link,) = with_class(grid, "open")
    assert link["href"] == f"/appointments/{appointment.pk}/"
    assert "10:00–10:30 Maria Santos · Cancelled" in link["title"]
    assert len([attrs for attrs in with_class(as_list, "day-row") if "status-cancelled" in attrs["class"]]) == 1


def test_free_time_of_a_no_show_is_drawn_beside_it(at_desk, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(10), status="no_show")

    response = at_desk.get(TODAY)

    (block,) = with_class(response, "block")
    assert "is-freed" in block["class"].split()
    assert [attrs["class"].split() for attrs in with_class(response, "is-beside")] == [["free", "q8", "is-beside"]]


def test_appointment_over_midnight_is_shown_on_both_days(at_desk, okafor, isolated):
    appointment = AppointmentFactory(doctor=okafor, start_time=at(23, 30), duration_minutes=60)
    for layout in ("", "?layout=list&tab=all"):
        with isolated(layout=layout):
            first, second = at_desk.get(TODAY + layout), at_desk.get(f"/schedule/2026-11-25/{layout}")

            assert "since 23:30 (yesterday)" not in first.content.decode()
            assert "since 23:30 (yesterday)" in second.content.decode()
            assert f"/appointments/{appointment.pk}/" in hrefs(second)
            assert (first.context["day"].counts, second.context["day"].counts) == ([("booked", 1)], [])
            assert not [attrs for _tag, attrs in elements(second) if "data-acts" in attrs or "formaction" in attrs]


def test_free_time_links_to_the_filled_in_booking_form(at_desk, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(10))

    response = at_desk.get(TODAY)

    times = [free.time for free in response.context["day"].columns[0].free]
    assert times[:3] == ["09:05", "09:30", "10:30"]
    assert f"/appointments/book/?{slot_query(okafor.pk, at(10, 30))}" in hrefs(response)


def test_inactive_doctor_is_shown_with_appointments_only(at_desk, okafor, lindgren):
    AppointmentFactory(doctor=okafor)
    Doctor.objects.update(is_active=False)

    response = at_desk.get(TODAY)

    assert shown_doctors(response) == ["Dr Okafor"]
    assert with_class(response, "free") == []


def test_list_layout_shows_the_same_in_order_of_time(at_desk, okafor, lindgren, maria):
    AppointmentFactory(doctor=okafor, start_time=at(11))
    AppointmentFactory(doctor=lindgren, patient=maria, start_time=at(10), reason="Rash")

    response = at_desk.get(f"{TODAY}?layout=list")

    assert [(block.time, block.doctor_name) for block in response.context["day"].listed] == [
        ("10:00", "Dr Lindgren"),
        ("11:00", "Dr Okafor"),
    ]
    assert [attrs for _tag, attrs in elements(response) if attrs.get("id") == "day-list"]
    assert with_class(response, "block") == []
    assert "912 345 678" in response.content.decode()


def test_day_without_doctors_shows_a_message(at_desk):
    response = at_desk.get(TODAY)

    assert len(with_class(response, "empty-day")) == 1


# Filters


def test_filter_by_doctor_shows_that_doctor(at_desk, okafor, lindgren):
    AppointmentFactory(doctor=lindgren, reason="Rash")

    response = at_desk.get(f"{TODAY}?doctor={okafor.pk}")

    assert shown_doctors(response) == ["Dr Okafor"]
    assert "Rash" not in response.content.decode()
    ticked = [
        attrs["value"] for _tag, attrs in elements(response) if attrs.get("name") == "doctor" and "checked" in attrs
    ]
    assert ticked == [str(okafor.pk)]


def test_filter_by_specialization_shows_those_doctors(at_desk, okafor, lindgren):
    response = at_desk.get(f"{TODAY}?specialization=Dermatology")

    assert shown_doctors(response) == ["Dr Lindgren"]


def test_doctor_overrides_a_contradictory_specialization(at_desk, okafor, lindgren):
    response = at_desk.get(f"{TODAY}?doctor={okafor.pk}&specialization=Dermatology")

    assert shown_doctors(response) == ["Dr Okafor"]
    assert response.context["filters"] == {"doctor": str(okafor.pk)}
    assert f"/schedule/2026-11-25/?doctor={okafor.pk}" in hrefs(response)


def test_specialization_of_the_doctor_stays_selected(at_desk, okafor, lindgren):
    response = at_desk.get(f"{TODAY}?doctor={okafor.pk}&specialization=Cardiology")

    assert shown_doctors(response) == ["Dr Okafor"]
    assert response.context["filters"] == {"doctor": str(okafor.pk), "specialization": "Cardiology"}


def test_filter_without_matches_offers_all_doctors(at_desk, okafor):
    response = at_desk.get(f"{TODAY}?specialization=Alchemy")

    assert len(with_class(response, "empty-day")) == 1
    assert TODAY in hrefs(response)


def test_unknown_specialization_shows_no_doctors(at_desk, okafor):
    assert shown_doctors(at_desk.get(f"{TODAY}?specialization=%00Alchemy")) == []


def test_unknown_doctor_is_not_found(at_desk, okafor, isolated):
    for doctor in ["999", "x", "-1", "1%00", "²", "99999999999999999999999", "1.5"]:
        with isolated(doctor=doctor):
            assert at_desk.get(f"{TODAY}?doctor={doctor}").status_code == 404


# Going to another date


def test_date_field_goes_to_the_date_and_keeps_the_filters(at_desk, okafor):
    response = at_desk.get(
        "/schedule/", {"date": "2026-12-01", "doctor": okafor.pk, "specialization": "", "layout": "list"}
    )

    assert response.status_code == 302
    assert response["Location"] == f"/schedule/2026-12-01/?doctor={okafor.pk}&layout=list"


def test_invalid_date_in_the_field_shows_today_with_a_message(at_desk, isolated):
    for date in ["2026-02-30", "0001-01-01", "9999-12-31", "1899-12-31", "2200-01-01", "", "\0", "x"]:
        with isolated(date=date):
            response = at_desk.get("/schedule/", {"date": date, "layout": "list"}, follow=True)

            assert response.redirect_chain == [(f"{TODAY}?layout=list", 302)]
            assert [message.level_tag for message in response.context["messages"]] == ["error"]


def test_invalid_date_in_the_address_is_not_found(at_desk, isolated):
    cases = [
        "2026-02-30",
        "0001-01-01",
        "9999-12-31",
        "1899-12-31",
        "2200-01-01",
        "2026-13-01",
        "2026-1-1",
        "0000-00-00",
    ]
    for date in cases:
        with isolated(date=date):
            assert at_desk.get(f"/schedule/{date}/").status_code == 404


def test_links_to_other_days_keep_the_filters(at_desk, okafor):
    response = at_desk.get(f"{TODAY}?doctor={okafor.pk}&layout=list&unknown=1")

    query = f"?doctor={okafor.pk}&layout=list"
    assert f"/schedule/2026-11-23/{query}" in hrefs(response)
    assert f"/schedule/2026-11-25/{query}" in hrefs(response)
    assert f"/schedule/{query}" in hrefs(response)
    assert f"/schedule/?date=2026-11-24&doctor={okafor.pk}&remember=layout" in hrefs(response)


def test_first_and_last_day_of_the_calendar_have_one_link(at_desk, okafor, isolated):
    for date, before, after in [("1900-01-01", None, "1900-01-02"), ("2199-12-31", "2199-12-30", None)]:
        with isolated(date=date, before=before, after=after):
            response = at_desk.get(f"/schedule/{date}/")

            assert response.status_code == 200
            neighbours = {attrs.get("aria-label"): attrs.get("href") for tag, attrs in elements(response) if tag == "a"}
            assert neighbours.get("Previous day") == (before and f"/schedule/{before}/")
            assert neighbours.get("Next day") == (after and f"/schedule/{after}/")


def test_blocks_on_a_clock_change_are_placed_by_clinic_time(at_desk, okafor, isolated):
    for date, place in [("2027-03-28", "q20"), ("2027-10-31", "q16")]:
        with isolated(date=date, place=place):
            AppointmentFactory(doctor=okafor, start_time=dt.datetime.fromisoformat(f"{date}T12:00+00:00"))

            response = at_desk.get(f"/schedule/{date}/")

            assert response.context["day"].hours[0].label == "08:00"
            (block,) = with_class(response, "block")
            assert place in block["class"].split()


# Permissions


def test_manager_sees_initials_without_link_reason_and_free_times(client, manager, okafor, maria):
    appointment = AppointmentFactory(doctor=okafor, patient=maria, reason="Sore knee")
    client.force_login(manager)

    for layout in ("", "list"):
        response = client.get(TODAY, {"layout": layout})

        text = response.content.decode()
        assert "M. S." in text
        for private in ("Maria", "Santos", "Sore knee", "912 345 678"):
            assert private not in text
        assert f"/appointments/{appointment.pk}/" not in hrefs(response)
        assert not [href for href in hrefs(response) if href.startswith("/appointments/book/")]


def test_doctor_sees_names_in_their_own_column_only(client, doctor_user, okafor, lindgren, maria):
    okafor.user = doctor_user
    okafor.save()
    own = AppointmentFactory(doctor=okafor, patient=maria, reason="Sore knee")
    theirs = AppointmentFactory(
        doctor=lindgren, patient=PatientFactory(first_name="Ines", last_name="Ferreira"), reason="Rash"
    )
    client.force_login(doctor_user)

    for layout in ("", "list"):
        response = client.get(TODAY, {"layout": layout})

        text = response.content.decode()
        assert "Maria Santos" in text
        assert "Sore knee" in text
        assert "I. F." in text
        for private in ("Ines", "Ferreira", "Rash"):
            assert private not in text
        assert f"/appointments/{own.pk}/" in hrefs(response)
        assert f"/appointments/{theirs.pk}/" not in hrefs(response)


def test_user_who_may_not_book_sees_no_free_times(client, request, okafor, isolated):
    for role in ["manager", "doctor_user"]:
        with isolated(role=role):
            client.force_login(request.getfixturevalue(role))

            response = client.get(TODAY)

            assert with_class(response, "free") == []
            assert [href for href in hrefs(response) if "/book/" in href] == []


def test_receptionist_is_offered_free_times(at_desk, okafor):
    assert len(with_class(at_desk.get(TODAY), "free")) > 10


# Cost


def fill(doctors, per_doctor):
    """Add many appointments to the day without locking diaries."""
    patients = PatientFactory.create_batch(doctors)
    models.QuerySet(Appointment).bulk_create(
        Appointment(
            patient=patient,
            doctor=doctor,
            start_time=at(8) + dt.timedelta(minutes=15 * number),
            end_time=at(8, 15) + dt.timedelta(minutes=15 * number),
            duration_minutes=15,
        )
        for doctor, patient in zip(
            Doctor.objects.bulk_create(
                Doctor(full_name=f"Dr {number:03}", specialization=f"Ward {number}") for number in range(doctors)
            ),
            patients,
            strict=True,
        )
        for number in range(per_doctor)
    )


def test_day_view_makes_the_same_queries_for_3_and_for_300_appointments(client, receptionist, manager, doctor_user):
    asked = [(user, layout) for user in (receptionist, manager, doctor_user) for layout in ("", "list")]

    def queries(doctors, rows):
        counts = {}
        for user, layout in asked:
            client.force_login(user)
            with CaptureQueriesContext(connection) as captured:
                response = client.get(TODAY, {"layout": layout})
            day = response.context["day"]
            assert (len(day.listed), len(day.columns)) == (rows, doctors)
            counts[user.username, layout] = len(captured)
        return counts

    fill(doctors=3, per_doctor=1)
    few = queries(doctors=3, rows=3)
    Appointment.objects.all().delete()
    Doctor.objects.all().delete()
    fill(doctors=30, per_doctor=10)

    assert queries(doctors=30, rows=300) == few
    assert max(few.values()) <= MAX_QUERIES


# Escaping

MARKUP = "<i>\"'&"


def test_texts_with_markup_are_escaped_wherever_the_schedule_is_drawn(client, administrator, okafor, maria, isolated):
    Doctor.objects.update(full_name=f"Doctor {MARKUP}", specialization=f"Specialization {MARKUP}")
    QuerySet(Patient).update(first_name=f"First {MARKUP}", last_name=f"Last {MARKUP}", phone_number=MARKUP)
    appointment = AppointmentFactory(doctor=okafor, patient=maria, start_time=at(10, day=25))
    QuerySet(Appointment).update(reason=f"Reason {MARKUP}", outside_hours_reason=f"Exception {MARKUP}")
    LeaveFactory(doctor=okafor, start_time=at(15, day=25), end_time=at(16, day=25), reason=f"Leave {MARKUP}")
    ClosureFactory(date=dt.date(2026, 11, 27), name=f"Closing {MARKUP}")
    client.force_login(administrator)
    day, week = "/schedule/2026-11-25/", f"/doctors/{okafor.pk}/week/2026-11-25/"
    pages = {
        day: ["Doctor", "Specialization", "First", "Last", "Reason", "Exception", "Leave"],
        f"{day}?layout=list&tab=all": ["Doctor", "First", "Last", "Reason", "Exception"],
        f"{day}?move={appointment.pk}": ["Doctor", "First", "Last", "Leave"],
        f"{day}print/": ["Doctor", "Specialization", "First", "Last", "Reason", "Exception"],
        week: ["Doctor", "First", "Last", "Reason", "Exception", "Leave", "Closing"],
        f"/appointments/free/?date=2026-11-26&patient={maria.pk}": ["Doctor", "Specialization", "First", "Last"],
    }
    for url, texts in pages.items():
        with isolated(url=url):
            html = client.get(url).content.decode()

            assert MARKUP not in html
            assert "<i>&" not in html.replace("<i>free</i>", "")
            for text in texts:
                assert f"{text} &lt;i&gt;" in html, text
