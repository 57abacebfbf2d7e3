"""Refreshing the open schedule: the browser says what it shows, and gets what has changed."""

import datetime as dt

import pytest
from django.conf import settings
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.booking import actions
from appointments.models import Appointment, DayVersion
from appointments.schedule import day as day_module
from appointments.schedule.day import ALL_DOCTORS, day_view
from appointments.schedule.grid import Grid
from appointments.schedule.versions import week_versions
from appointments.schedule.week import dates_of_week
from appointments.tests.booking_form import BOOK
from appointments.tests.factories import AppointmentFactory
from clinic.models import Session
from clinic.tests.kit import at, elements
from doctors.models import Doctor
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TODAY, TOMORROW = dt.date(2026, 11, 24), dt.date(2026, 11, 25)
DAY = "/schedule/2026-11-24/"
SECOND = dt.timedelta(seconds=1)
BACKGROUND = {"X-Background": "1"}


@pytest.fixture
def appointment(okafor, maria):
    return AppointmentFactory(doctor=okafor, patient=maria)


def day_part(response):
    """Return the attributes of the part of the page that refreshes."""
    (day,) = [attrs for _tag, attrs in elements(response) if attrs.get("id") == "day"]
    return day


def shown_by(response):
    """Return the headers with which schedule/refresh.js says what a page shows."""
    grid = [attrs["data-shown"] for _tag, attrs in elements(response) if "data-shown" in attrs]
    columns = [
        f"{attrs['id'].removeprefix('doctor-')}:{attrs['data-version']}"
        for tag, attrs in elements(response)
        if tag == "section" and "data-version" in attrs
    ]
    away = [attrs["data-columns"] for _tag, attrs in elements(response) if attrs.get("id") == "away"]
    headers = BACKGROUND | {"If-None-Match": day_part(response)["data-etag"]}
    if columns:
        headers |= {"X-Shown-Columns": ",".join([*grid, *columns])}
        headers |= {"X-Away-Columns": away[0]} if away else {}
    return headers


def refresh(client, page, url=DAY):
    return client.get(url, headers=shown_by(page))


def ids_in(response):
    return [attrs["id"] for tag, attrs in elements(response) if "id" in attrs and tag in ("section", "div")]


# What changes the version

CHANGES = {
    "book": lambda appointment: actions.book(
        patient=PatientFactory(), doctor=appointment.doctor, start_time=at(14), duration_minutes=30, by=None
    ),
    "move": lambda appointment: actions.move(
        appointment, doctor=appointment.doctor, start_time=at(11), duration_minutes=30, by=None
    ),
    "move to another day": lambda appointment: actions.move(
        appointment, doctor=appointment.doctor, start_time=at(11, day=26), duration_minutes=30, by=None
    ),
    "move to another doctor": lambda appointment: actions.move(
        appointment, doctor=DoctorFactory(), start_time=appointment.start_time, duration_minutes=30, by=None
    ),
    "arrive": lambda appointment: actions.mark_arrived(appointment, by=None),
    "start": lambda appointment: actions.start(appointment, by=None),
    "undo": lambda appointment: actions.undo(actions.mark_arrived(appointment, by=None), by=None),
    "cancel": lambda appointment: actions.cancel(appointment, reason="Ill", cancelled_by="patient", by=None),
    "delete": lambda appointment: Appointment.objects.get().delete(),
    "delete all": lambda appointment: Appointment.objects.all().delete(),
    "reason": lambda appointment: Appointment.objects.update(reason="Sore knee"),
    "name": lambda appointment: rename(appointment.patient),
    "new doctor": lambda appointment: DoctorFactory(),
    "deactivate": lambda appointment: Doctor.objects.filter(pk=appointment.doctor_id).update(is_active=False),
    "rename the doctor": lambda appointment: rename_doctor(appointment.doctor),
    "leave": lambda appointment: LeaveFactory(doctor=appointment.doctor, start_time=at(15), end_time=at(16)),
    "closing day": lambda appointment: ClosureFactory(date=TODAY),
}


def rename(patient):
    patient.last_name = "Corrected"
    patient.save()


def rename_doctor(doctor):
    doctor.full_name = "Dr Corrected"
    doctor.save()


@pytest.mark.both_databases
def test_change_is_sent_to_an_open_page(at_desk, appointment, isolated):
    views = [("", change) for change in CHANGES]
    views += [(query, "arrive") for query in ("?layout=list", f"?doctor={appointment.doctor_id}")]
    for query, change in views:
        with isolated(change=change, query=query):
            page = at_desk.get(DAY + query)
            assert refresh(at_desk, page, DAY + query).status_code == 304

            CHANGES[change](appointment)

            changed = refresh(at_desk, page, DAY + query)
            assert changed.status_code == 200
            again = shown_by(page) | {"If-None-Match": changed["ETag"]}
            assert at_desk.get(DAY + query, headers=again).status_code == 304


@pytest.mark.both_databases
def test_change_elsewhere_is_not_sent(at_desk, appointment, okafor, isolated):
    zola = DoctorFactory(full_name="Dr Zola")
    other_patient = AppointmentFactory(doctor=zola, start_time=at(10, day=26)).patient
    elsewhere = {
        "another day": ("", lambda: AppointmentFactory(doctor=okafor, start_time=at(12, day=26))),
        "a doctor whom the filter hides": (f"?doctor={okafor.pk}", lambda: AppointmentFactory(doctor=zola)),
        "a patient of another day": ("", lambda: rename(other_patient)),
    }
    for case, (query, change) in elsewhere.items():
        with isolated(case):
            page = at_desk.get(DAY + query)

            change()

            assert refresh(at_desk, page, DAY + query).status_code == 304


@pytest.mark.both_databases
def test_appointment_over_midnight_changes_both_days(at_desk, okafor):
    before = dict(DayVersion.objects.values_list("date", "version"))

    AppointmentFactory(doctor=okafor, start_time=at(23, 50), duration_minutes=30)

    after = dict(DayVersion.objects.values_list("date", "version"))
    assert after.keys() - before.keys() == {TODAY, TOMORROW}


@pytest.mark.both_databases
def test_change_between_versions_and_appointments_shows_as_one(receptionist, appointment, monkeypatch):
    """The version is read before the appointments, so that a booking in between is never missed."""

    def read_then_lose_race(*values):
        actions.mark_arrived(appointment, by=None)
        return read(*values)

    read = day_module._read
    monkeypatch.setattr(day_module, "_read", read_then_lose_race)

    shown = day_view(TODAY, user=receptionist).versions

    monkeypatch.undo()
    assert day_view(TODAY, user=receptionist).versions.etag != shown.etag


def test_pages_with_today_are_redrawn_every_five_minutes(at_desk, okafor, now, isolated):
    """Free times pass, and appointments become late and no-shows, without any action."""
    week = f"/doctors/{okafor.pk}/week"
    for url in (DAY, f"{DAY}?layout=list", f"{week}/2026-11-27/"):
        for instant, seconds in ((at(9), 300), (at(9, 4) + 59 * SECOND, 1), (at(9, 5), 300)):
            with isolated(url=url, instant=instant):
                now.move_to(instant)
                assert day_part(at_desk.get(url))["data-redraw-seconds"] == str(seconds)
    for url in ("/schedule/2026-11-25/", "/schedule/2026-11-23/", f"{week}/2026-12-02/"):
        with isolated(url=url):
            assert "data-redraw-seconds" not in day_part(at_desk.get(url))


def test_page_that_does_not_say_what_it_shows_gets_all(at_desk, appointment):
    response = at_desk.get(DAY, headers=BACKGROUND)

    assert "day" in ids_in(response)
    assert response["ETag"] == day_part(response)["data-etag"]


def test_version_of_another_day_does_not_follow_the_clock(at_desk, appointment, now, settings, isolated):
    for url in ["/schedule/2026-11-25/", "/schedule/2026-11-23/"]:
        with isolated(url=url):
            settings.SESSION_IDLE_MINUTES = 11 * 60
            page = at_desk.get(url)

            now.move_to(at(19))

            assert refresh(at_desk, page, url).status_code == 304


def test_version_changes_at_midnight(at_desk, appointment, receptionist):
    for day in (TODAY, TOMORROW):
        before = day_view(day, user=receptionist, at=at(23, 59)).versions
        after = day_view(day, user=receptionist, at=at(0, 0, day=25)).versions
        assert before.etag != after.etag


def test_week_changes_with_each_of_its_days(at_desk, okafor, receptionist, isolated):
    for date, day in (("2026-11-27", 24), ("2026-11-27", 27), ("2026-12-02", 30), ("2026-11-20", 20)):
        with isolated(date=date, day=day):
            url = f"/doctors/{okafor.pk}/week/{date}/"
            page = at_desk.get(url)
            assert day_part(page)["data-url"] == url
            assert refresh(at_desk, page, url).status_code == 304

            AppointmentFactory(doctor=okafor, start_time=at(18, day=day))

            changed = refresh(at_desk, page, url)
            assert changed.status_code == 200
            assert "day" in ids_in(changed)


def test_week_of_the_calendars_end_has_a_version(okafor, receptionist, now):
    from appointments.schedule.blocks import Viewer

    now.move_to(dt.datetime(2200, 1, 3, 9, tzinfo=dt.UTC))

    assert week_versions(okafor, dates_of_week(dt.date(2199, 12, 31)), Viewer(receptionist), at=at(9)).etag


# What is sent


def test_changed_column_is_sent_with_the_counts(at_desk, appointment, okafor):
    zola = DoctorFactory(full_name="Dr Zola")
    page = at_desk.get(DAY)

    AppointmentFactory(doctor=zola, start_time=at(15), status="arrived", arrived_at=at(9))

    changed = refresh(at_desk, page)
    parts = changed.content.decode()
    assert ids_in(changed)[:2] == ["counts", f"doctor-{zola.pk}"]
    assert f'id="doctor-{okafor.pk}"' not in parts
    assert [attrs["data-etag"] for _tag, attrs in elements(changed) if "data-etag" in attrs] == [changed["ETag"]]
    assert "<b>1</b> booked" in parts
    assert "<b>1</b> arrived" in parts
    assert part_of(at_desk.get(DAY), f"doctor-{zola.pk}") == part_of(changed, f"doctor-{zola.pk}")


def part_of(response, section_id):
    html = response.content.decode()
    begin = html.index(f'<section id="{section_id}"')
    return html[begin : html.index("</section>", begin)]


def test_counts_of_a_filtered_day_are_those_of_its_doctors(at_desk, okafor):
    cardiologist = DoctorFactory(specialization="Cardiology")
    AppointmentFactory(doctor=okafor, start_time=at(14))
    for query in (f"?doctor={cardiologist.pk}", "?specialization=Cardiology"):
        page = at_desk.get(DAY + query)

        AppointmentFactory(doctor=cardiologist, start_time=at(15 + ("doctor" in query)))

        assert "booked" in refresh(at_desk, page, DAY + query).content.decode()
        counts = day_module.counts_on(TODAY, day_module.DayFilters(specialization="Cardiology"))
        assert counts == [("booked", cardiologist.appointments.count())]


def test_counts_are_those_of_the_day_view(at_desk, receptionist, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(8), status="arrived", arrived_at=at(8))
    AppointmentFactory(doctor=okafor, start_time=at(10), status="no_show")
    AppointmentFactory(
        doctor=okafor, start_time=at(11), status="cancelled", cancelled_by="patient", cancel_reason="Ill"
    )
    AppointmentFactory(doctor=okafor, start_time=at(11, day=25))

    assert day_module.counts_on(TODAY, ALL_DOCTORS) == day_view(TODAY, user=receptionist).counts


def test_whole_day_is_sent_if_the_columns_alone_would_not_do(at_desk, appointment, okafor, isolated):
    cases = {
        "appointment outside the grid": lambda: AppointmentFactory(doctor=okafor, start_time=at(20)),
        "other hours": lambda: LeaveFactory(doctor=okafor, start_time=at(15), end_time=at(16)),
        "another doctor": lambda: DoctorFactory(),
        "inactive doctor": lambda: Doctor.objects.update(is_active=False),
    }
    for case, change in cases.items():
        with isolated(case):
            page = at_desk.get(DAY)

            change()

            assert "day" in ids_in(refresh(at_desk, page))


@pytest.fixture
def away():
    """A doctor who does not work on Tuesdays."""
    doctor = DoctorFactory(full_name="Dr Away")
    TimetableFactory(doctor=doctor, week={2: [(dt.time(8), dt.time(12))]})
    return doctor


def test_changed_column_is_sent_to_a_page_that_leaves_doctors_out(at_desk, appointment, okafor, away):
    page = at_desk.get(DAY)
    assert f'id="doctor-{away.pk}"' not in page.content.decode()
    assert refresh(at_desk, page).status_code == 304

    AppointmentFactory(doctor=okafor, start_time=at(15))

    assert ids_in(refresh(at_desk, page))[:2] == ["counts", f"doctor-{okafor.pk}"]


def test_whole_day_is_sent_when_a_doctor_left_out_gets_an_appointment(at_desk, appointment, away):
    page = at_desk.get(DAY)

    AppointmentFactory(doctor=away, start_time=at(15), outside_hours_reason="Urgent")

    changed = refresh(at_desk, page)
    assert "day" in ids_in(changed)
    assert f'id="doctor-{away.pk}"' in changed.content.decode()


def test_whole_day_is_sent_when_a_doctor_is_no_longer_in(at_desk, appointment, away):
    urgent = AppointmentFactory(doctor=away, start_time=at(15), outside_hours_reason="Urgent")
    page = at_desk.get(DAY)

    Appointment.objects.filter(pk=urgent.pk).delete()

    changed = refresh(at_desk, page)
    assert "day" in ids_in(changed)
    assert f'id="doctor-{away.pk}"' not in changed.content.decode()


def test_day_off_is_replaced_when_a_doctor_gets_an_appointment(at_desk, away):
    page = at_desk.get(DAY)
    assert "Nobody works on Tuesday 24 November" in page.content.decode()
    assert refresh(at_desk, page).status_code == 304

    AppointmentFactory(doctor=away, start_time=at(15), outside_hours_reason="Urgent")

    assert f'id="doctor-{away.pk}"' in refresh(at_desk, page).content.decode()


def test_column_asked_for_is_sent_alone_though_the_doctor_is_away(at_desk, away):
    url = f"{DAY}?away=show"
    urgent = AppointmentFactory(doctor=away, start_time=at(15), outside_hours_reason="Urgent")
    page = at_desk.get(url)

    Appointment.objects.filter(pk=urgent.pk).delete()

    assert ids_in(refresh(at_desk, page, url))[:2] == ["counts", f"doctor-{away.pk}"]


def test_whole_day_is_sent_for_headers_that_are_wrong(at_desk, appointment, okafor, isolated):
    page = at_desk.get(DAY)
    AppointmentFactory(doctor=okafor, start_time=at(15))
    for shown in (
        "",
        "x",
        "480",
        "480-1080",
        "480-1080,",
        "480-1080,0",
        "480-1080,0:x",
        "9-1,0:0",
        "\x00-1,1:1",
        ":,:,:",
    ):
        with isolated(shown=shown):
            response = at_desk.get(DAY, headers=shown_by(page) | {"X-Shown-Columns": shown})

            assert "day" in ids_in(response)


def test_grid_is_read_from_its_text_only():
    grid = Grid(at(8), at(18))

    assert Grid.from_text(grid.text, TODAY) == grid
    for text in ("", "1", "5-5", "9-5", "1-2-3", "-1-5", "0-99999999999", "a-b"):
        assert Grid.from_text(text, TODAY) is None


def test_withdrawn_right_is_a_change(at_desk, appointment, receptionist, manager):
    """Nothing is booked, but what the user may see has changed."""
    page = at_desk.get(DAY)
    assert "Maria Santos" in page.content.decode()
    receptionist.groups.set(manager.groups.all())

    response = refresh(at_desk, page)

    assert response.status_code == 200
    assert "Maria Santos" not in response.content.decode()


# What it costs


def test_refresh_without_a_change_draws_nothing(at_desk, isolated):
    for doctors in [3, 30]:
        with isolated(doctors=doctors):
            for doctor in DoctorFactory.create_batch(doctors):
                AppointmentFactory(doctor=doctor)
            page = at_desk.get(DAY)

            with CaptureQueriesContext(connection) as queries:
                response = refresh(at_desk, page)

            assert response.status_code == 304
            assert len(queries) <= 2 + SIGN_IN
            assert response.content == b""
            assert response.templates == []
            assert "no-store" in response["Cache-Control"]


SIGN_IN = 2  # queries for the user and the roles, besides the session


def test_changed_column_takes_few_queries(at_desk, isolated):
    for doctors in [3, 30]:
        with isolated(doctors=doctors):
            for doctor in DoctorFactory.create_batch(doctors):
                AppointmentFactory(doctor=doctor)
            page = at_desk.get(DAY)
            AppointmentFactory(doctor=doctor, start_time=at(15))

            with CaptureQueriesContext(connection) as queries:
                response = refresh(at_desk, page)

            assert ids_in(response)[0] == "counts"
            assert len(queries) <= 8 + SIGN_IN


def test_refresh_does_not_extend_an_idle_session(at_desk, appointment, now):
    """Otherwise an open day view would keep the user logged in for ever."""
    page = at_desk.get(DAY)
    before = Session.objects.values().get()

    for _poll in range(3):
        now.shift(60)
        assert refresh(at_desk, page).status_code == 304
        response = at_desk.get(DAY, headers=BACKGROUND)
        assert settings.SESSION_COOKIE_NAME not in response.cookies

    assert Session.objects.values().get() == before


def test_refresh_after_the_session_has_ended_redirects_to_login(at_desk, appointment, now):
    page = at_desk.get(DAY)
    now.shift(12 * 3600 + 1)

    response = refresh(at_desk, page)

    assert response["Location"].startswith("/accounts/login/")


def test_ends_of_the_calendar_are_refreshed(at_desk, isolated):
    for url in ["/schedule/1900-01-01/", "/schedule/2199-12-31/"]:
        with isolated(url=url):
            assert refresh(at_desk, at_desk.get(url), url).status_code == 304


# The whole part that refreshes


def test_background_request_gets_only_the_day(at_desk, appointment, isolated):
    for query in ["", "?layout=list", "?layout=list&tab=all"]:
        with isolated(query=query):
            whole = at_desk.get(DAY + query).content.decode()

            response = at_desk.get(DAY + query, headers=BACKGROUND)

            part = response.content.decode().strip()
            assert response.templates == []
            counts, begin_of_day, day = part.partition('<div id="day"')
            assert counts.startswith('<div id="counts"')
            assert counts.strip() in whole
            assert begin_of_day + day in whole
            assert "Maria Santos" in part or query == "?layout=list"


def test_background_request_gets_only_the_week(at_desk, okafor, appointment):
    url = f"/doctors/{okafor.pk}/week/2026-11-24/"

    part = at_desk.get(url, headers=BACKGROUND).content.decode().strip()

    counts, begin_of_week, week = part.partition('<div id="day"')
    whole = at_desk.get(url).content.decode()
    assert counts.startswith('<div id="counts"')
    assert counts.strip() in whole
    assert begin_of_week + week in whole


def test_pressed_button_gets_the_page_with_its_messages(at_desk, appointment):
    response = at_desk.get(DAY, headers={"HX-Request": "true", "HX-Trigger": "answers"})

    assert "base.html" in [template.name for template in response.templates]


def test_refreshed_day_leaves_the_messages_to_the_page(at_desk, appointment, form_data):
    at_desk.post(BOOK, form_data | {"date": "2026-11-24", "time": "14:00"})

    part = at_desk.get(DAY, headers=BACKGROUND)

    assert "Booked:" not in part.content.decode()
    page = at_desk.get(DAY)
    (message,) = get_messages(page.wsgi_request)
    assert str(message).startswith("Booked: Maria Santos, Tue 24 Nov 2026 14:00, Dr Okafor.")
    assert "Booked: Maria Santos" in page.content.decode()


def test_refreshed_day_keeps_filters_and_the_appointment_to_move(at_desk, appointment, okafor):
    DoctorFactory(full_name="Dr Zola")
    query = f"?doctor={okafor.pk}&move={appointment.pk}"

    part = at_desk.get(DAY + query, headers=BACKGROUND)

    assert [each for each in ids_in(part) if each.startswith("doctor-")] == [f"doctor-{okafor.pk}"]
    assert 'form="move"' in part.content.decode()


def test_day_for_moving_changes_with_the_patients_other_appointments(at_desk, appointment, okafor, maria):
    """Times at which the patient is with somebody else are not offered, although the filter hides that doctor."""
    url = f"{DAY}?doctor={okafor.pk}&move={appointment.pk}"
    page = at_desk.get(url)

    AppointmentFactory(doctor=DoctorFactory(), patient=maria, start_time=at(15))

    changed = refresh(at_desk, page, url)
    assert "day" in ids_in(changed)
    assert ">15:00</button>" in page.content.decode()
    assert ">15:00</button>" not in changed.content.decode()
