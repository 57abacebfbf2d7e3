"""A doctor's calendar feed with its secret URL, and the file of one appointment."""

import datetime as dt
import hashlib
import logging
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar

from appointments.booking import actions
from appointments.calendar_feed.ical import feed_of, feed_version
from appointments.models import Appointment, CalendarFeed
from appointments.statuses import Status
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import DOCTOR
from clinic.models import AuditEntry
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, elements, fresh, utc
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.models import Patient

pytestmark = pytest.mark.usefixtures("db", "now")

DAY = dt.timedelta(days=1)


def address_of(doctor):
    """The address of a new feed, as a calendar program is given it."""
    return f"/calendar/{CalendarFeed.make(doctor, by=None)}.ics"


def page_of(doctor):
    return f"/doctors/{doctor.pk}/calendar/"


def calendar_in(response):
    assert response.status_code == 200
    return Calendar.from_ical(response.content)


def events_in(content):
    return list(Calendar.from_ical(content).events)


def event_of(doctor):
    (event,) = events_in(feed_of(doctor))
    return event


def shown_address(response):
    """The path of the address shown on the page, or empty."""
    url = response.context["address"]
    assert url == "" or f">{url}</textarea>" in response.content.decode()
    return url.removeprefix("http://testserver")


def name_in(content):
    """Both names of a calendar. icalendar does not unescape them."""
    calendar = Calendar.from_ical(content)
    (written,) = {str(calendar[each]) for each in ("NAME", "X-WR-CALNAME")}
    assert not re.search(r"(?<!\\)(\\\\)*[;,]", written)
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] in "nN" else match[1], written)


def unfolded(content):
    return content.replace(b"\r\n ", b"").decode()


@pytest.fixture
def appointment(okafor, maria):
    """Booked for tomorrow at 10:00."""
    return AppointmentFactory(
        doctor=okafor, patient=maria, start_time=at(10), reason="Sore knee", notes="Wants the ground floor"
    )


# What a feed holds


def test_feed_has_the_name_of_the_doctor_and_a_refresh_interval(client, okafor, appointment):
    response = client.get(address_of(okafor))

    calendar = calendar_in(response)
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert calendar["VERSION"] == "2.0"
    assert calendar["METHOD"] == "PUBLISH"
    assert calendar["PRODID"] == "-//Patient Encounter System//Calendar//EN"
    assert name_in(response.content) == "Dr Okafor – Test Clinic"
    assert b"\r\nREFRESH-INTERVAL;VALUE=DURATION:PT15M\r\n" in response.content


def test_appointment_is_an_event(okafor, appointment):
    event = event_of(okafor)

    assert (event.start, event.end) == (at(10), at(10, 30))
    assert (event["UID"], event["SEQUENCE"]) == (str(appointment.booking_key), 0)
    assert (event["STATUS"], event["TRANSP"], event["CLASS"]) == ("CONFIRMED", "OPAQUE", "PRIVATE")
    assert (event.stamp, event["CREATED"].dt, event["LAST-MODIFIED"].dt) == (NOW, NOW, NOW)
    assert event["SUMMARY"] == "M. S."


def test_feed_has_only_the_initials_of_the_patient(client, okafor, appointment, isolated):
    for status in Status.values:
        with isolated(status=status):
            changed = fresh(appointment)
            changed.status, changed.cancelled_by, changed.cancel_reason = status, "patient", "Has to work"
            changed.outside_hours_reason = "Urgent"
            changed.save()

            text = unfolded(client.get(address_of(okafor)).content)

            assert "M. S." in text
            for secret in ("Maria", "Santos", "maria@", "912345", "Sore knee", "ground floor", "Has to work", "Urgent"):
                assert secret not in text


def test_status_of_an_event_and_whether_it_takes_time(okafor, maria, isolated):
    cases = [
        ("booked", "CONFIRMED", "OPAQUE", "M. S."),
        ("arrived", "CONFIRMED", "OPAQUE", "M. S."),
        ("in_consultation", "CONFIRMED", "OPAQUE", "M. S."),
        ("completed", "CONFIRMED", "OPAQUE", "M. S."),
        ("no_show", "CONFIRMED", "TRANSPARENT", "No-show: M. S."),
        ("left", "CONFIRMED", "TRANSPARENT", "Left unseen: M. S."),
        ("cancelled", "CANCELLED", "TRANSPARENT", "Cancelled: M. S."),
    ]
    for status, event_status, transparency, summary in cases:
        with isolated(status=status, event_status=event_status, transparency=transparency, summary=summary):
            AppointmentFactory(doctor=okafor, patient=maria, status=status, cancelled_by="patient", cancel_reason="Ill")

            event = event_of(okafor)

            assert (event["STATUS"], event["TRANSP"], event["SUMMARY"]) == (event_status, transparency, summary)


def test_moved_appointment_keeps_its_uid_and_its_sequence_grows(now, okafor, appointment, receptionist):
    before = event_of(okafor)
    now.shift(60)

    actions.move(appointment, doctor=okafor, start_time=at(14), duration_minutes=45, by=receptionist)

    after = event_of(okafor)
    assert (after.start, after.end) == (at(14), at(14, 45))
    assert after["UID"] == before["UID"]
    assert after["SEQUENCE"] == before["SEQUENCE"] + 1
    assert (after["CREATED"].dt, after["LAST-MODIFIED"].dt) == (NOW, NOW + dt.timedelta(minutes=1))


def test_cancelled_appointment_keeps_its_uid_and_its_sequence_grows(okafor, appointment, receptionist):
    before = event_of(okafor)

    actions.cancel(appointment, reason="Ill", cancelled_by="patient", by=receptionist)

    after = event_of(okafor)
    assert after["STATUS"] == "CANCELLED"
    assert after["UID"] == before["UID"]
    assert after["SEQUENCE"] == before["SEQUENCE"] + 1


def test_appointment_given_to_a_colleague_changes_feeds(okafor, appointment, receptionist):
    before, colleague = event_of(okafor), DoctorFactory()

    actions.move(appointment, doctor=colleague, start_time=at(10), duration_minutes=30, by=receptionist)

    assert events_in(feed_of(okafor)) == []
    assert event_of(colleague)["UID"] == before["UID"]
    assert event_of(colleague)["SEQUENCE"] == before["SEQUENCE"] + 1


def test_corrected_name_changes_the_initials_and_the_time_stamp(now, okafor, appointment, maria):
    before = event_of(okafor)
    now.shift(60)

    maria.first_name = "Joana"
    maria.save()

    after = event_of(okafor)
    assert after["SUMMARY"] == "J. S."
    assert after["LAST-MODIFIED"].dt == before["LAST-MODIFIED"].dt + dt.timedelta(minutes=1)


@pytest.mark.both_databases
def test_feed_covers_30_days_back_to_365_days_ahead(okafor, isolated):
    cases = [
        (utc(2026, 10, 24, 22, 45), False),  # 23:45 in Lisbon, 31 days before
        (utc(2026, 10, 24, 23, 0), True),  # midnight of the date 30 days before
        (utc(2027, 11, 24, 23, 45), True),  # the date a year ahead
        (utc(2027, 11, 25, 0, 0), False),
    ]
    for start_time, is_in in cases:
        with isolated(start_time=start_time, is_in=is_in):
            AppointmentFactory(doctor=okafor, start_time=start_time, duration_minutes=15)

            assert len(events_in(feed_of(okafor))) == is_in


@pytest.mark.both_databases
def test_feed_has_the_doctors_own_appointments_in_order_of_time(okafor):
    AppointmentFactory(doctor=okafor, start_time=at(11))
    AppointmentFactory(doctor=okafor, start_time=at(9))
    AppointmentFactory(start_time=at(10))

    assert [event.start for event in events_in(feed_of(okafor))] == [at(9), at(11)]


def test_feed_without_appointments_is_a_valid_calendar(client, okafor):
    assert calendar_in(client.get(address_of(okafor))).events == []


# The clock changes


CHANGES = {
    "spring, before": utc(2027, 3, 28, 0, 30),  # 00:30 WET
    "spring, over it": utc(2027, 3, 28, 0, 45),  # 00:45 to 02:15
    "spring, after": utc(2027, 3, 28, 1, 0),  # 02:00 WEST
    "autumn, the first 01:30": utc(2027, 10, 31, 0, 30),
    "autumn, over it": utc(2027, 10, 31, 0, 45),
    "autumn, the second 01:30": utc(2027, 10, 31, 1, 30),
}


def test_appointment_around_a_clock_change_is_at_its_instant(settings, okafor, isolated):
    for case, start_time in CHANGES.items():
        with isolated(case):
            assert settings.TIME_ZONE == "Europe/Lisbon"
            appointment = AppointmentFactory(doctor=okafor, start_time=start_time, duration_minutes=30)

            content = feed_of(okafor)

            event = event_of(okafor)
            assert (event.start, event.end) == (appointment.start_time, appointment.end_time)
            assert event.end - event.start == dt.timedelta(minutes=30)
            assert f"DTSTART:{start_time:%Y%m%dT%H%M%SZ}\r\n".encode() in content


@pytest.mark.both_databases
def test_feed_includes_the_whole_day_of_a_clock_change(now, okafor, isolated):
    cases = {
        "spring": utc(2026, 3, 29, 12),
        "autumn": utc(2026, 10, 25, 12),
    }
    for case, today in cases.items():
        with isolated(case):
            now.move_to(today)
            midnight = today.replace(hour=0) if today.month == 3 else today.replace(hour=23) - DAY
            starts = [midnight, today.replace(hour=23) - dt.timedelta(minutes=15)]
            for start_time in starts:
                AppointmentFactory(doctor=okafor, start_time=start_time, duration_minutes=15)

            assert [event.start for event in events_in(feed_of(okafor))] == starts


# Odd names


ODD_NAMES = {
    "marks of the format": r"Dr O'Neill; MD, PhD \n (a:b) ^n",
    "long": "Dr " + "Ana Maria " * 9,
    "letters of many bytes": "Dr " + "Zoë Łucja 田中 𝐌 " * 5,
    "right to left": "د. سمير حداد",
    "a quotation": 'Dr "Bones" McCoy',
}


@pytest.mark.both_databases
def test_unusual_doctor_name_is_preserved(client, at_desk, isolated):
    for case, name in ODD_NAMES.items():
        with isolated(case):
            name = name.strip()
            doctor = DoctorFactory(full_name=name)
            appointment = AppointmentFactory(doctor=doctor)

            feed = client.get(address_of(doctor)).content
            file = at_desk.get(f"/appointments/{appointment.pk}/calendar.ics").content

            assert name_in(feed) == f"{name} – Test Clinic"
            assert [event["SUMMARY"] for event in events_in(file)] == [f"Appointment with {name}"]
            for content in (feed, file):
                assert max(len(line) for line in content.split(b"\r\n")) <= 75
                assert b"\n" not in content.replace(b"\r\n", b"")


def test_line_break_in_a_name_adds_no_line_to_the_calendar(client):
    """Forms refuse such a name, but a shell does not."""
    doctor = DoctorFactory(full_name="Dr X\r\nX-EVIL:1\nX-EVIL:2\rY\x00\x1bZ")

    content = client.get(address_of(doctor)).content

    assert b"\nX-EVIL" not in content
    assert name_in(content) == "Dr X X-EVIL:1 X-EVIL:2 YZ – Test Clinic"


def test_clinic_name_is_escaped_in_the_location(settings, at_desk, appointment):
    settings.CLINIC_NAME = "Smith, Jones; & Co"

    (event,) = events_in(at_desk.get(f"/appointments/{appointment.pk}/calendar.ics").content)

    assert event["LOCATION"] == "Smith, Jones; & Co"


# The address


def test_unknown_url_is_404(client, okafor, isolated):
    for token in ["x", "é", "a" * 500, "%00"]:
        with isolated(token=token):
            address_of(okafor)

            assert client.get(f"/calendar/{token}.ics").status_code == 404


def test_feed_over_unencrypted_http_is_404_without_redirect(client, settings, okafor):
    settings.USE_HTTPS = settings.SECURE_SSL_REDIRECT = True
    address = address_of(okafor)

    assert client.get(address).status_code == 404
    assert client.get(address, secure=True).status_code == 200


def test_only_the_digest_of_the_token_is_stored(okafor):
    token = CalendarFeed.make(okafor, by=None)

    (row,) = CalendarFeed.objects.values()
    assert len(token) == 43  # 256 bits
    assert row["digest"] == hashlib.sha256(token.encode()).hexdigest()
    assert not any(token in str(value) for value in row.values())


@pytest.mark.both_databases
def test_new_url_replaces_the_old_one(client, okafor, appointment):
    first, second = address_of(okafor), address_of(okafor)

    assert client.get(first).status_code == 404
    assert len(calendar_in(client.get(second)).events) == 1


def test_revoked_url_is_404(client, okafor):
    address = address_of(okafor)
    assert client.get(address).status_code == 200

    assert CalendarFeed.revoke(okafor)

    assert client.get(address).status_code == 404
    assert not CalendarFeed.revoke(okafor)


def test_feeds_of_other_doctors_still_work(client, okafor):
    other = address_of(DoctorFactory())
    address_of(okafor)

    CalendarFeed.revoke(okafor)

    assert client.get(other).status_code == 200


def test_feed_of_an_inactive_doctor_still_works(client, okafor, appointment):
    address = address_of(okafor)

    Doctor.objects.update(is_active=False)

    assert len(calendar_in(client.get(address)).events) == 1


def test_feed_is_closed_while_the_login_is_inactive_or_has_no_role(client, okafor, doctor_user, isolated):
    for lose in ["login", "role"]:
        with isolated(lose=lose):
            Doctor.objects.update(user=doctor_user)
            okafor.refresh_from_db()
            address = address_of(okafor)
            assert client.get(address).status_code == 200
            roles = list(doctor_user.groups.all())

            if lose == "login":
                doctor_user.is_active = False
                doctor_user.save()
            else:
                doctor_user.groups.clear()

            assert client.get(address).status_code == 404
            doctor_user.is_active = True
            doctor_user.save()
            doctor_user.groups.set(roles)
            assert client.get(address).status_code == 200


def test_feed_closes_when_the_doctor_loses_the_login(client, okafor, doctor_user, receptionist):
    Doctor.objects.update(user=doctor_user)
    okafor.refresh_from_db()
    address = address_of(okafor)

    seen = [client.get(address).status_code]
    for user in (None, receptionist, doctor_user):
        Doctor.objects.update(user=user)
        seen.append(client.get(address).status_code)

    assert seen == [200, 404, 404, 200]


def test_feed_is_private_and_its_file_name_has_no_token(client, okafor):
    response = client.get(address_of(okafor))

    assert response["Cache-Control"] == "private, no-cache"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Content-Disposition"] == 'attachment; filename="diary.ics"'
    assert not response.cookies


def test_token_is_not_logged(caplog, client, okafor, subtests):
    for method in ["get", "post"]:
        for ending in [".ics", ""]:
            with subtests.test(method=method, ending=ending):
                client.handler.enforce_csrf_checks = True
                token = CalendarFeed.make(okafor, by=None)
                CalendarFeed.revoke(okafor)

                with caplog.at_level(logging.DEBUG):
                    response = getattr(client, method)(f"/calendar/{token}{ending}")

                assert response.status_code in {404, 405}
                assert "/calendar/…" in caplog.text
                assert token not in caplog.text


def test_other_urls_are_logged_unchanged(caplog, at_desk):
    at_desk.get("/calendar-of/nothing")

    assert "Not Found: /calendar-of/nothing" in caplog.text


# Asked again and again


def test_unchanged_feed_is_answered_304(client, okafor, appointment):
    address = address_of(okafor)
    first = client.get(address)

    again = client.get(address, headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert again["Cache-Control"] == "private, no-cache"


def rename(model, **names):
    record = model.objects.get()
    for name, value in names.items():
        setattr(record, name, value)
    record.save()


CHANGE_THE_FEED = {
    "booked": lambda appointment: AppointmentFactory(doctor=appointment.doctor, start_time=at(12)),
    "moved": lambda appointment: actions.move(
        appointment, doctor=appointment.doctor, start_time=at(14), duration_minutes=30, by=None, reason=""
    ),
    "cancelled": lambda appointment: actions.cancel(appointment, reason="Ill", cancelled_by="patient", by=None),
    "patient renamed": lambda appointment: rename(Patient, first_name="Joana"),
    "doctor renamed": lambda appointment: rename(Doctor, full_name="Dr Amara Okafor"),
}


def test_changed_feed_is_sent_again(now, client, appointment, isolated):
    for case, change in CHANGE_THE_FEED.items():
        with isolated(case):
            address = address_of(appointment.doctor)
            first = client.get(address)
            now.shift(1)

            change(appointment)

            again = client.get(address, headers={"If-None-Match": first["ETag"]})
            assert again.status_code == 200
            assert unfolded(again.content) != unfolded(first.content)


@pytest.mark.both_databases
def test_version_changes_with_the_date_and_the_clinics_name(settings, now, okafor):
    before = feed_version(okafor)

    now.move_to(utc(2026, 11, 24, 23, 59))
    assert feed_version(okafor) == before
    now.move_to(utc(2026, 11, 25, 0, 0))
    next_day = feed_version(okafor)
    settings.CLINIC_NAME = "Other Clinic"

    assert len({before, next_day, feed_version(okafor)}) == 3


def test_version_ignores_other_doctors_diaries(client, okafor, appointment):
    address = address_of(okafor)
    first = client.get(address)

    AppointmentFactory(start_time=at(12))

    assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_head_is_answered_without_content(client, okafor, appointment):
    address = address_of(okafor)

    response = client.head(address)

    assert (response.status_code, response.content) == (200, b"")
    assert response["ETag"] == client.get(address)["ETag"]


def test_feed_makes_the_same_queries_for_3_and_30_appointments(client, doctor_user):
    doctor = DoctorFactory(user=doctor_user)
    address = address_of(doctor)
    for day in range(3):
        AppointmentFactory(doctor=doctor, start_time=at(8) + day * DAY)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for day in range(3, 30):
        AppointmentFactory(doctor=doctor, start_time=at(8) + day * DAY)

    with CaptureQueriesContext(connection) as many:
        response = client.get(address)

    assert len(calendar_in(response).events) == 30
    # The feed with its doctor, the doctor's role, the version, the entry of the fetch, the appointments.
    assert len(few) == len(many) == 5


def test_unchanged_feed_reads_no_appointments(client, okafor, appointment):
    address = address_of(okafor)
    etag = client.get(address)["ETag"]

    with CaptureQueriesContext(connection) as queries:
        client.get(address, headers={"If-None-Match": etag})

    assert len(queries) == 2
    assert not any("first_name" in query["sql"] and "patients_patient" in query["sql"] for query in queries)


# Permissions to create and revoke feeds


@pytest.fixture
def own(doctor_user):
    return DoctorFactory(full_name="Dr Own", user=doctor_user)


def test_administrator_creates_the_feed_of_any_doctor(client, in_admin, administrator, okafor, appointment):
    response = in_admin.post(page_of(okafor), {"make": ""})

    client.logout()
    assert len(calendar_in(client.get(shown_address(response))).events) == 1
    assert CalendarFeed.objects.get().created_by == administrator
    assert "no-store" in response["Cache-Control"]


def test_doctor_creates_their_own_feed(client, doctor_user, own):
    client.force_login(doctor_user)

    response = client.post(page_of(own), {"make": ""})

    assert client.get(shown_address(response)).status_code == 200


def test_feed_page_of_a_doctor_is_forbidden_to_others(
    client, doctor_user, receptionist, manager, own, okafor, isolated
):
    for person in [doctor_user, receptionist, manager]:
        for sent in [None, {"make": "1"}, {"revoke": "1"}]:
            with isolated(person=person.username, sent=sent):
                address = address_of(okafor)
                before = list(CalendarFeed.objects.values())
                client.force_login(person)

                response = client.get(page_of(okafor)) if sent is None else client.post(page_of(okafor), sent)

                assert response.status_code == 403
                assert list(CalendarFeed.objects.values()) == before
                assert client.get(address).status_code == 200


def test_doctors_login_without_the_role_creates_no_feed(client):
    doctor = DoctorFactory(user=UserFactory())
    client.force_login(doctor.user)

    assert client.post(page_of(doctor), {"make": ""}).status_code == 403
    assert not CalendarFeed.objects.exists()


def test_feed_page_of_an_unknown_doctor_is_404(in_admin, subtests):
    for method in ["get", "post"]:
        with subtests.test(method=method):
            assert getattr(in_admin, method)("/doctors/999999/calendar/").status_code == 404


def test_url_is_shown_once(in_admin, okafor):
    made = in_admin.post(page_of(okafor), {"make": ""})
    token = shown_address(made).removeprefix("/calendar/").removesuffix(".ics")

    again = in_admin.get(page_of(okafor))

    assert token
    assert shown_address(again) == ""
    assert token not in again.content.decode()
    assert all(token not in str(session) for session in in_admin.session.items())


def test_replacing_shows_a_new_url_and_revokes_the_first(in_admin, okafor):
    first = shown_address(in_admin.post(page_of(okafor), {"make": ""}))
    second = shown_address(in_admin.post(page_of(okafor), {"make": CalendarFeed.objects.get().pk}))

    assert in_admin.get(first).status_code == 404
    assert in_admin.get(second).status_code == 200


def test_page_sent_again_replaces_nothing(in_admin, client, okafor, isolated):
    for make in ["", "7", "x"]:
        with isolated(make=make):
            address = shown_address(in_admin.post(page_of(okafor), {"make": ""}))

            response = in_admin.post(page_of(okafor), {"make": make})

            assert response.status_code == 302
            assert client.get(address).status_code == 200


def test_page_shows_that_the_feed_is_closed(in_admin, okafor, doctor_user):
    Doctor.objects.update(user=doctor_user)
    in_admin.post(page_of(okafor), {"make": ""})
    says = "The feed is closed"
    open_page = in_admin.get(page_of(okafor)).content.decode()
    doctor_user.is_active = False
    doctor_user.save()

    closed_page = in_admin.get(page_of(okafor)).content.decode()

    assert (says in open_page, says in closed_page) == (False, True)


def test_revoking_ends_the_feed(in_admin, okafor):
    address = shown_address(in_admin.post(page_of(okafor), {"make": ""}))

    response = in_admin.post(page_of(okafor), {"revoke": "1"})

    assert response["Location"] == page_of(okafor)
    assert in_admin.get(address).status_code == 404
    assert in_admin.get(page_of(okafor)).context["feed"] is None


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_last_of_two_simultaneous_requests_creates_the_feed(monkeypatch, in_admin, okafor):
    """The second request comes between the first one's check and its feed."""
    revoke, others = CalendarFeed.revoke, []

    def revoke_then_other_makes(doctor):
        revoke(doctor)
        if not others:
            others.append("address")
            CalendarFeed.objects.create(doctor=doctor, digest="0" * 64)

    monkeypatch.setattr(CalendarFeed, "revoke", revoke_then_other_makes)

    response = in_admin.post(page_of(okafor), {"make": ""})

    assert others
    assert in_admin.get(shown_address(response)).status_code == 200


def test_request_without_the_button_creates_no_feed(in_admin, okafor, isolated):
    for send in [lambda client, url: client.get(url + "?make=1"), lambda client, url: client.post(url)]:
        with isolated(send=send):
            response = send(in_admin, page_of(okafor))

            assert shown_address(response) == ""
            assert not CalendarFeed.objects.exists()


def test_creating_and_revoking_are_audited_without_the_digest(in_admin, administrator, okafor):
    in_admin.post(page_of(okafor), {"make": ""})
    feed = CalendarFeed.objects.get()
    in_admin.post(page_of(okafor), {"revoke": "1"})

    entries = AuditEntry.objects.filter(content_type__model="calendarfeed").order_by("pk")
    assert [(entry.get_action_display(), entry.actor, entry.object_pk) for entry in entries] == [
        ("create", administrator, str(feed.pk)),
        ("delete", administrator, str(feed.pk)),
    ]
    assert all(feed.digest not in str(entry.changes) for entry in entries)


def test_doctors_page_links_to_the_feed_for_permitted_users(client, request, own, isolated):
    cases = [("administrator", True), ("doctor_user", True), ("receptionist", False), ("manager", False)]
    for person, is_offered in cases:
        with isolated(person=person, is_offered=is_offered):
            client.force_login(request.getfixturevalue(person))

            hrefs = [attrs.get("href") for tag, attrs in elements(client.get(f"/doctors/{own.pk}/")) if tag == "a"]

            assert (page_of(own) in hrefs) is is_offered


def test_doctors_page_has_no_link_to_the_feed_of_a_colleague(client, own):
    client.force_login(UserFactory(role=DOCTOR))

    hrefs = [attrs.get("href") for tag, attrs in elements(client.get(f"/doctors/{own.pk}/")) if tag == "a"]

    assert page_of(own) not in hrefs


# One appointment, for its patient


def test_file_of_an_appointment_has_doctor_time_and_place(at_desk, appointment):
    response = at_desk.get(f"/appointments/{appointment.pk}/calendar.ics")

    (event,) = calendar_in(response).events
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="appointment.ics"'
    assert (event.start, event.end) == (at(10), at(10, 30))
    assert (event["SUMMARY"], event["LOCATION"]) == ("Appointment with Dr Okafor", "Test Clinic")
    assert (event["UID"], event["SEQUENCE"], event["STATUS"]) == (str(appointment.booking_key), 0, "CONFIRMED")


def test_file_of_an_appointment_has_no_patient_reason_or_notes(at_desk, appointment):
    text = unfolded(at_desk.get(f"/appointments/{appointment.pk}/calendar.ics").content)

    for secret in ("Maria", "Santos", "M. S.", "maria@", "912345", "Sore knee", "ground floor", "General practice"):
        assert secret not in text


def test_file_of_a_cancelled_appointment_replaces_the_one_before(at_desk, appointment, receptionist):
    (before,) = events_in(at_desk.get(f"/appointments/{appointment.pk}/calendar.ics").content)
    actions.cancel(appointment, reason="Has to work", cancelled_by="patient", by=receptionist)

    response = at_desk.get(f"/appointments/{appointment.pk}/calendar.ics")

    (after,) = events_in(response.content)
    assert (after["STATUS"], after["TRANSP"]) == ("CANCELLED", "TRANSPARENT")
    assert after["SUMMARY"] == "Cancelled: Appointment with Dr Okafor"
    assert (after["UID"], after["SEQUENCE"]) == (before["UID"], before["SEQUENCE"] + 1)
    assert "Has to work" not in unfolded(response.content)


def test_doctor_cannot_get_the_file_of_a_colleagues_appointment(client, doctor_user, own, appointment):
    client.force_login(doctor_user)

    assert client.get(f"/appointments/{appointment.pk}/calendar.ics").status_code == 404


def test_file_of_an_unknown_appointment_is_404(at_desk):
    assert at_desk.get("/appointments/999999/calendar.ics").status_code == 404


def test_calendar_file_is_offered_for_booked_and_cancelled_appointments(at_desk, appointment, isolated):
    cases = [("booked", True), ("cancelled", True), ("completed", False), ("no_show", False)]
    for status, is_offered in cases:
        with isolated(status=status, is_offered=is_offered):
            changed = fresh(appointment)
            changed.status, changed.cancelled_by, changed.cancel_reason = status, "patient", "Ill"
            changed.save()
            address = f"/appointments/{appointment.pk}/"

            hrefs = [attrs.get("href") for tag, attrs in elements(at_desk.get(address)) if tag == "a"]

            assert (f"{address}calendar.ics" in hrefs) is is_offered


def test_two_appointments_never_have_the_same_uid(okafor):
    for hour in (9, 10, 11):
        AppointmentFactory(doctor=okafor, start_time=at(hour))

    assert len({event["UID"] for event in events_in(feed_of(okafor))}) == Appointment.objects.count() == 3
