"""The front desk enters that a doctor is away: today, on the next working day, or both."""

import datetime as dt

import pytest
from django.contrib.auth.models import Group

from appointments.models import Appointment, DisplacedAppointment, ScheduleChange
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import AWAY_ENTRY, DOCTOR, MANAGER, RECEPTIONIST
from clinic.models import AuditEntry
from clinic.tests.factories import UserFactory
from clinic.tests.kit import codes_at, elements
from doctors.models import Leave
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TODAY, TOMORROW = "2026-11-24", "2026-11-25"
REST_OF_TODAY = f"now {TODAY} {TODAY}"


@pytest.fixture
def okafor():
    doctor = DoctorFactory(full_name="Dr Okafor")
    TimetableFactory(doctor=doctor)
    return doctor


@pytest.fixture
def client_away(client, receptionist):
    """A test client signed in as a receptionist with the role "Away entry"."""
    receptionist.groups.add(Group.objects.get(name=AWAY_ENTRY))
    client.force_login(receptionist)
    return client


def url_of(doctor):
    return f"/doctors/{doctor.pk}/away/"


def sent(when=REST_OF_TODAY, **changes):
    return {"when": when, "from_time": "", "until_time": "", "reason": ""} | changes


def enter(client, doctor, **changes):
    """Enter an absence, and confirm that it affects appointments; return the page that follows."""
    response = client.post(url_of(doctor), sent(**changes), follow=True)
    if not response.redirect_chain:
        seen = response.context["form"]["seen_hits"].value()
        response = client.post(url_of(doctor), sent(**changes) | {"seen_hits": seen}, follow=True)
    return response


def undo_in(response):
    button, *_others = [attrs for tag, attrs in elements(response) if tag == "button" and attrs.get("data-key") == "u"]
    return button["formaction"], {button["name"]: button["value"]}


def choices_on(response):
    return [value for value, _label in response.context["form"].fields["when"].widget.choices]


# Who may


@pytest.mark.parametrize(
    ("roles", "may"),
    [
        ([RECEPTIONIST], False),
        ([RECEPTIONIST, AWAY_ENTRY], True),
        ([MANAGER, AWAY_ENTRY], False),
        ([DOCTOR, AWAY_ENTRY], False),
        ([DOCTOR], False),
    ],
)
def test_only_receptionists_with_the_role_may_enter_it(client, okafor, roles, may):
    user = UserFactory()
    user.groups.set(Group.objects.filter(name__in=roles))
    client.force_login(user)

    response = client.post(url_of(okafor), sent())

    assert response.status_code == (302 if may else 403)
    assert Leave.objects.exists() is may


def test_administrator_may_enter_it(in_admin, okafor):
    enter(in_admin, okafor)

    assert Leave.objects.get().doctor == okafor


def test_day_and_doctor_pages_link_to_it_for_whom_may(client_away, receptionist, okafor, isolated):
    off_today = DoctorFactory()
    TimetableFactory(doctor=off_today, week={4: [(dt.time(8), dt.time(12))]})
    pages = [
        ("/", url_of(okafor)),
        (f"/schedule/{TOMORROW}/", f"{url_of(okafor)}?day={TOMORROW}"),
        (f"/doctors/{okafor.pk}/", url_of(okafor)),
    ]
    for page, address in pages:
        with isolated(page):
            assert f'href="{address}"' in client_away.get(page).content.decode()
            assert url_of(off_today) not in client_away.get(page).content.decode()

            receptionist.groups.remove(Group.objects.get(name=AWAY_ENTRY))

            assert url_of(okafor) not in client_away.get(page).content.decode()


def test_day_links_to_it_on_the_next_working_day_only(client_away, okafor, isolated):
    ClosureFactory(date=dt.date(2026, 11, 25))
    for day, has_link in [("2026-11-23", False), ("2026-11-25", False), ("2026-11-26", True), ("2026-11-27", False)]:
        with isolated(day):
            assert (url_of(okafor) in client_away.get(f"/schedule/{day}/").content.decode()) is has_link


# When


@pytest.mark.both_databases
def test_absence_is_entered_for_the_time_chosen(client_away, okafor, isolated):
    cases = [
        (sent(), at(9, day=24), at(0, day=25)),
        (sent(f"day {TODAY} {TODAY}"), at(0, day=24), at(0, day=25)),
        (sent(f"now {TODAY} {TOMORROW}"), at(9, day=24), at(0, day=26)),
        (sent(f"day {TOMORROW} {TOMORROW}"), at(0, day=25), at(0, day=26)),
        (sent(until_time="13:00"), at(9, day=24), at(13, day=24)),
        (sent(from_time="14:00"), at(14, day=24), at(0, day=25)),
        (sent(f"now {TODAY} {TOMORROW}", from_time="14:00", until_time="12:00"), at(14, day=24), at(12, day=25)),
    ]
    for data, starts, ends in cases:
        with isolated(data=data, starts=starts, ends=ends):
            response = client_away.post(url_of(okafor), data)

            leave = Leave.objects.get()
            assert response["Location"] == f"/schedule/{TODAY}/"
            assert (leave.doctor, leave.start_time, leave.end_time) == (okafor, starts, ends)


def test_closing_days_and_weekends_are_no_working_days(client_away, okafor):
    for day in (25, 26):
        ClosureFactory(date=dt.date(2026, 11, day))
    assert choices_on(client_away.get(url_of(okafor)))[-1] == "day 2026-11-27 2026-11-27"
    ClosureFactory(date=dt.date(2026, 11, 27))

    response = client_away.get(url_of(okafor), {"day": "2026-11-30"})

    assert choices_on(response)[-1] == "day 2026-11-30 2026-11-30"
    assert response.context["form"]["when"].value() == "day 2026-11-30 2026-11-30"


def test_other_dates_and_times_are_refused(client_away, okafor, isolated):
    cases = [
        (sent("day 2026-11-26 2026-11-26"), "when", "absence_dates"),
        (sent(f"day {TODAY} 2026-11-26"), "when", "absence_dates"),
        (sent("day 2026-11-23 2026-11-24"), "when", "absence_dates"),
        (sent(f"day {TOMORROW} {TODAY}"), "when", "absence_dates"),
        (sent("tomorrow"), "when", "required"),
        (sent(""), "when", "required"),
        (sent(until_time="08:30"), "until_time", "leave_span"),
        (sent(f"day {TODAY} {TODAY}", until_time="08:30"), "until_time", "past"),
        (sent(from_time="x"), "from_time", "invalid"),
        (sent(reason="x" * 101), "reason", "max_length"),
    ]
    for data, field, code in cases:
        with isolated(data=data, field=field, code=code):
            response = client_away.post(url_of(okafor), data)

            assert codes_at(response, field) == [code]
            assert not Leave.objects.exists()


def test_form_of_yesterday_is_refused(client_away, receptionist, okafor, now):
    now.move_to(at(0, 1, day=25))
    client_away.force_login(receptionist)

    assert codes_at(client_away.post(url_of(okafor), sent()), "when") == ["absence_dates"]


# What is said and to whom


def test_reason_is_only_for_administrators_and_the_doctor(client_away, okafor):
    response = enter(client_away, okafor, reason="Migraine")

    assert Leave.objects.get().reason == "Migraine"
    for page in ("/", f"/doctors/{okafor.pk}/"):
        assert "Migraine" not in client_away.get(page).content.decode()
    assert "Migraine" not in response.content.decode()


def test_other_leave_is_refused_without_its_reason(client_away, okafor):
    LeaveFactory(doctor=okafor, start_time=at(12, day=24), end_time=at(0, day=26), reason="Migraine")

    response = client_away.post(url_of(okafor), sent())

    assert codes_at(response, "when") == ["leave_overlap"]
    assert "Migraine" not in response.content.decode()


def test_absence_without_a_reason_has_a_general_one(client_away, okafor):
    enter(client_away, okafor)

    assert Leave.objects.get().reason == "Away"


@pytest.mark.both_databases
def test_affected_appointments_are_shown_first_and_then_listed(client_away, receptionist, okafor):
    affected = AppointmentFactory(doctor=okafor, start_time=at(10, day=24))
    AppointmentFactory(doctor=okafor, start_time=at(10, day=25))

    shown = client_away.post(url_of(okafor), sent())
    nothing_saved = not Leave.objects.exists()
    response = enter(client_away, okafor)

    assert codes_at(shown, "__all__") == ["hits"]
    assert affected.patient.full_name in shown.content.decode()
    assert nothing_saved
    change = ScheduleChange.objects.get()
    assert response.redirect_chain[-1][0] == change.get_absolute_url()
    assert [each.appointment for each in change.displaced.all()] == [affected]
    assert AuditEntry.objects.get_for_object(Leave.objects.get()).get().actor == receptionist


# Undo


@pytest.mark.both_databases
def test_undo_deletes_the_absence_and_its_worklist(client_away, receptionist, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(10, day=24))
    response = enter(client_away, okafor)
    leave = Leave.objects.get()

    client_away.post(*undo_in(response))

    assert not Leave.objects.exists()
    assert not DisplacedAppointment.objects.exists()
    assert AuditEntry.objects.get_for_object(leave).latest("pk").actor == receptionist


@pytest.mark.both_databases
def test_undo_is_refused_once_it_was_worked_on(client_away, receptionist, okafor, isolated):
    def move():
        appointment = Appointment.objects.get()
        appointment.start_time = at(11)
        appointment.clean_and_save()

    def inform():
        DisplacedAppointment.objects.get().mark_informed(by=receptionist)

    def change():
        Leave.objects.get().save()

    for act in (move, inform, change):
        with isolated(act.__name__):
            AppointmentFactory(doctor=okafor, start_time=at(10, day=24))
            response = enter(client_away, okafor)
            act()

            refused = client_away.post(*undo_in(response), follow=True)

            assert Leave.objects.exists()
            assert "error" in [message.level_tag for message in refused.context["messages"]]


def test_undo_pressed_twice_says_so(client_away, okafor):
    undo = undo_in(enter(client_away, okafor))
    client_away.post(*undo)

    response = client_away.post(*undo, follow=True)

    assert "already been deleted" in response.content.decode()


def test_undo_deletes_no_other_leave(client_away, client, okafor, administrator, isolated):
    _address, values = undo_in(enter(client_away, okafor))
    other = LeaveFactory(doctor=DoctorFactory())
    entered = Leave.objects.exclude(pk=other.pk).get()
    cases = {"other leave": (other, values), "invented": (other, {"undo": "1-0"}), "other user": (entered, values)}
    for name, (leave, data) in cases.items():
        with isolated(name):
            if name == "other user":
                client.force_login(administrator)

            client.post(f"/doctors/leave/{leave.pk}/undo/", data)

            assert Leave.objects.count() == 2
