"""The day as a work list: buttons, waiting and late minutes, and the tabs of the list."""

import datetime as dt
from collections import Counter
from html.parser import HTMLParser

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import resolve, reverse

from appointments import transitions
from appointments.booking import actions
from appointments.detail.buttons import ACTIONS, buttons_in, buttons_of
from appointments.models import Appointment
from appointments.schedule.day import TABS, day_view
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from appointments.waiting_time import STEPS_TEXT
from clinic.tests.factories import UserFactory
from clinic.tests.kit import at, elements
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.usefixtures("db", "now")

DAY, TOMORROW = "/schedule/2026-11-24/", "/schedule/2026-11-25/"
ALL = f"{DAY}?layout=list&tab=all"
LAYOUTS = [DAY, ALL]
STAMPS = {
    "arrived": {"arrived_at": at(8, day=24)},
    "in_consultation": {"arrived_at": at(8, day=24), "started_at": at(8, day=24)},
    "completed": {
        "arrived_at": at(8, day=24),
        "started_at": at(8, day=24),
        "completed_at": at(8, day=24),
    },
    "left": {"arrived_at": at(8, day=24), "left_at": at(8, day=24)},
    "cancelled": {"cancelled_by": "patient", "cancel_reason": "Ill"},
}


WITH_BUTTONS = ["booked", "arrived", "in_consultation", "completed", "no_show", "left"]
EARLIER, RUNNING, LATER = at(8), at(8, 45), at(10)


def create_appointment(doctor, status="booked", start_time=EARLIER, **values):
    return AppointmentFactory(doctor=doctor, status=status, start_time=start_time, **STAMPS.get(status, {}) | values)


def buttons(response):
    """Return the labels of the buttons by their addresses."""

    class Parser(HTMLParser):
        found, target = {}, ""

        def handle_starttag(self, tag, attrs):
            attrs = dict(attrs)
            self.target = attrs["formaction"] if tag == "button" and attrs.get("form") == "act" else ""

        def handle_data(self, data):
            if self.target:
                self.found[self.target] = data
            self.target = ""

    parser = Parser()
    parser.feed(response.content.decode())
    return parser.found


LABELS = {action.path.removesuffix("/"): action.label for action in ACTIONS}


def offered(response):
    """Return the labels of the buttons by their addresses, also of those that a grid offers by keys only."""
    found = buttons(response)
    for _tag, attrs in elements(response):
        for act in attrs.get("data-acts", "").split():
            found[f"/appointments/{attrs['id'].removeprefix('v')}/{act}/"] = LABELS.get(act, "Undo")
    return found


def labels_in(response):
    return sorted(offered(response).values())


# Actions


def test_each_action_has_its_own_url(subtests):
    for action in ACTIONS:
        with subtests.test(action=action):
            url = reverse(f"appointments:appointment_{action.name}", args=[7])

            assert f"/appointments/7/{action.path}" == url
            assert resolve(url).url_name == f"appointment_{action.name}"


def test_keys_of_the_actions_of_one_appointment_differ():
    for status in Status:
        keys = Counter(action.key for action in ACTIONS if status in action.from_statuses)
        assert set(keys.values()) <= {1}, status


RECEPTION = {
    ("booked", EARLIER): ["Arrived", "Attended", "No-show"],
    ("booked", RUNNING): ["Arrived", "No-show"],
    ("booked", LATER): ["Arrived"],
    ("arrived", EARLIER): ["Attended", "Left unseen", "Undo"],
    ("arrived", RUNNING): ["Left unseen", "Undo"],
    ("in_consultation", RUNNING): [],
    ("completed", EARLIER): [],
    ("no_show", EARLIER): ["Arrived", "Undo"],
    ("no_show", RUNNING): ["Arrived", "Undo"],
    ("left", RUNNING): ["Undo"],
    ("cancelled", EARLIER): [],
    ("cancelled", LATER): ["Undo"],
}
OWN_DOCTOR = {
    ("booked", EARLIER): ["Arrived", "Start", "Attended", "No-show"],
    ("booked", LATER): ["Arrived", "Start"],
    ("arrived", EARLIER): ["Start", "Attended", "Left unseen", "Undo"],
    ("in_consultation", RUNNING): ["Done", "Undo"],
    ("completed", EARLIER): ["Undo"],
    ("cancelled", LATER): [],
}


def labels_of(block):
    return [action.label for action in block.buttons.actions] + ["Undo"] * block.buttons.can_undo


def test_reception_has_the_buttons_of_allowed_transitions(at_desk, okafor, isolated):
    for status, start_time in RECEPTION:
        for layout in LAYOUTS:
            with isolated(status=status, start_time=start_time, layout=layout):
                appointment = create_appointment(okafor, status, start_time)

                response = at_desk.get(layout)

                assert labels_in(response) == sorted(RECEPTION[status, start_time])
                assert all(url.startswith(f"/appointments/{appointment.pk}/") for url in offered(response))


def test_grid_shows_the_next_step_only(client, administrator, okafor, isolated):
    cases = {
        ("booked", LATER): ["Arrived"],
        ("booked", RUNNING): ["Arrived"],
        ("booked", EARLIER): ["No-show"],  # the patient was not marked as arrived, and the time is over
        ("arrived", RUNNING): ["Start"],
        ("in_consultation", RUNNING): ["Done"],
        ("completed", EARLIER): [],
        ("no_show", EARLIER): ["Arrived"],
        ("cancelled", LATER): [],
    }
    for (status, start_time), labels in cases.items():
        with isolated(status=status, start_time=start_time):
            client.force_login(administrator)
            create_appointment(okafor, status, start_time)

            assert list(buttons(client.get(DAY)).values()) == labels


def test_next_step_stands_out_from_an_hour_before_the_start(at_desk, okafor, isolated):
    for start_time, is_due in ((at(8), True), (at(9), True), (at(10), True), (at(10, 1), False), (at(15), False)):
        with isolated(start_time=start_time):
            create_appointment(okafor, start_time=start_time)

            (classes,) = [attrs["class"].split() for _tag, attrs in elements(at_desk.get(DAY)) if "data-keys" in attrs]

            assert ("is-due" in classes) == is_due


def test_actions_without_a_button_carry_the_version_that_is_shown(client, administrator, okafor):
    appointment = create_appointment(okafor, "completed")
    appointment.save()
    client.force_login(administrator)

    (block,) = [attrs for _tag, attrs in elements(client.get(DAY)) if "data-acts" in attrs]

    assert (block["data-acts"], block["data-acts-version"]) == ("undo", "2")


def test_doctor_has_buttons_in_their_own_diary_only(client, doctor_user, okafor, isolated):
    for status, start_time in OWN_DOCTOR:
        for layout in LAYOUTS:
            with isolated(status=status, start_time=start_time, layout=layout):
                own = DoctorFactory(full_name="Dr Own", user=doctor_user)
                create_appointment(own, status, start_time)
                create_appointment(okafor, status, start_time)
                client.force_login(doctor_user)

                assert labels_in(client.get(layout)) == sorted(OWN_DOCTOR[status, start_time])


def test_manager_has_no_buttons(client, manager, okafor, isolated):
    for status in Status:
        for layout in LAYOUTS:
            with isolated(status=status, layout=layout):
                create_appointment(okafor, status)
                client.force_login(manager)

                assert offered(client.get(layout)) == {}


def test_administrator_has_all_buttons(administrator, okafor):
    for hour, status in enumerate(Status, start=10):
        create_appointment(okafor, status, at(hour))

    listed = day_view(dt.date(2026, 11, 24), user=administrator).listed

    assert [(block.status, labels_of(block), block.buttons.can_change) for block in listed] == [
        ("booked", ["Arrived", "Start"], True),
        ("arrived", ["Start", "Left unseen", "Undo"], True),
        ("in_consultation", ["Done", "Undo"], False),
        ("completed", ["Undo"], False),
        ("no_show", ["Arrived", "Undo"], False),
        ("left", ["Undo"], False),
        ("cancelled", ["Undo"], False),
    ]


def test_appointment_of_yesterday_can_only_be_closed_out(at_desk, okafor, isolated):
    cases = [("booked", ["Attended", "No-show"]), ("no_show", ["Undo"])]
    cases += [("arrived", ["Attended", "Left unseen", "Undo"]), ("left", [])]
    for status, labels in cases:
        with isolated(status=status, labels=labels):
            create_appointment(okafor, status, at(10, day=23))

            assert labels_in(at_desk.get("/schedule/2026-11-23/")) == labels


def test_appointment_of_tomorrow_has_no_button_yet(at_desk, okafor):
    create_appointment(okafor, start_time=at(10, day=25))

    assert offered(at_desk.get(TOMORROW)) == {}


def test_every_button_changes_the_status_and_returns_to_the_day(client, administrator, okafor, isolated):
    for layout in LAYOUTS:
        with isolated(layout=layout):
            client.force_login(administrator)
            for hour, status in enumerate(WITH_BUTTONS, start=2):
                create_appointment(okafor, status, at(hour))
            urls = list(offered(client.get(layout)))
            assert len(urls) == 14
            before = {appointment.pk: appointment.status for appointment in Appointment.objects.all()}

            for url in urls:
                appointment = Appointment.objects.get(pk=url.split("/")[2])
                response = client.post(url, {"version": appointment.version, "next": layout})
                assert response["Location"] == layout
                appointment.refresh_from_db()
                assert appointment.status != before[appointment.pk], url
                Appointment.objects.filter(pk=appointment.pk).delete()
                create_appointment(okafor, before[appointment.pk], appointment.start_time, pk=appointment.pk)


def test_button_carries_the_version_that_is_shown(at_desk, okafor, isolated):
    for layout in LAYOUTS:
        with isolated(layout=layout):
            appointment = create_appointment(okafor)
            appointment.save()

            (version,) = {
                attrs["value"]
                for tag, attrs in elements(at_desk.get(layout))
                if tag == "button" and "formaction" in attrs
            }

            assert version == "2"


def test_form_of_the_buttons_returns_to_the_same_view(at_desk, okafor):
    inputs = [attrs for tag, attrs in elements(at_desk.get(ALL)) if tag == "input" and attrs.get("name") == "next"]

    assert ALL in [attrs["value"] for attrs in inputs]


def test_only_movable_appointments_can_be_dragged(at_desk, okafor):
    movable, over = create_appointment(okafor, start_time=at(10)), create_appointment(okafor, "completed", at(8))

    versions = {attrs["id"]: attrs.get("data-version") for _tag, attrs in elements(at_desk.get(DAY)) if "id" in attrs}

    assert (versions[f"v{movable.pk}"], versions[f"v{over.pk}"]) == ("1", None)


def test_buttons_are_decided_by_the_rules(okafor, monkeypatch):
    """Buttons and actions use the same rules."""
    everything = frozenset({"arrive", "treat", "change"})
    appointment = create_appointment(okafor, "arrived", at(11))
    assert buttons_of(appointment, everything, at=at(9)).actions
    monkeypatch.setattr(transitions, "transition_obstacle", lambda *args, **kwargs: "transition")
    buttons_in.cache_clear()

    shown = buttons_of(appointment, everything, at=at(9))

    buttons_in.cache_clear()
    assert (shown.actions, shown.can_undo) == ((), False)
    with pytest.raises(ValidationError):
        actions.start(appointment, by=None)


# Waiting and late


def minutes(user, day=dt.date(2026, 11, 24), **values):
    (block,) = day_view(day, user=user, **values).listed
    waiting = block.remarks.waiting
    return waiting and waiting.minutes, block.remarks.minutes_late


def test_waiting_time_counts_from_arrival(receptionist, okafor, isolated):
    cases = [(at(9), 0), (at(8, 59), 1), (at(8, 46), 14), (at(9) - dt.timedelta(seconds=90), 1), (at(9, 1), None)]
    for arrived_at, waiting in cases:
        with isolated(arrived_at=arrived_at, waiting=waiting):
            create_appointment(okafor, "arrived", at(8, 40), arrived_at=arrived_at)

            assert minutes(receptionist) == (waiting, None)


def test_patient_who_comes_early_waits_from_the_appointed_time(receptionist, okafor, isolated):
    cases = [(at(8, 59), 1), (at(9), 0), (at(9, 1), -1), (at(8, 46), 14), (at(10), -60)]
    for start_time, waiting in cases:
        with isolated(start_time=start_time, waiting=waiting):
            create_appointment(okafor, "arrived", start_time, arrived_at=at(8, 20))

            assert minutes(receptionist) == (waiting, None)


def test_patient_is_late_until_the_appointment_is_over(receptionist, okafor, isolated):
    cases = [(at(8, 45), 15), (at(9), 0), (at(9, 15), None), (at(8, 31), 29), (at(8, 30), None), (at(7), None)]
    for start_time, late in cases:
        with isolated(start_time=start_time, late=late):
            create_appointment(okafor, "booked", start_time)

            assert minutes(receptionist) == (None, late)


def test_other_statuses_are_neither_waiting_nor_late(receptionist, okafor, isolated):
    for status in ["in_consultation", "completed", "no_show", "left", "cancelled"]:
        with isolated(status=status):
            create_appointment(okafor, status, RUNNING)

            assert minutes(receptionist) == (None, None)


def test_other_days_show_no_waiting_or_late_minutes(receptionist, okafor, isolated):
    for status in ["booked", "arrived"]:
        with isolated(status=status):
            create_appointment(okafor, status, at(8, 45, day=23), arrived_at=at(8, 30, day=23))

            assert minutes(receptionist, dt.date(2026, 11, 23), at=at(9, day=24)) == (None, None)


def test_page_shows_waiting_and_late_minutes(at_desk, okafor, isolated):
    for layout in LAYOUTS:
        with isolated(layout=layout):
            create_appointment(okafor, "arrived", at(8, 10), arrived_at=at(8, 48))
            create_appointment(okafor, "booked", at(8, 45))
            create_appointment(DoctorFactory(), "booked", at(9))

            page = at_desk.get(layout).content.decode()

            assert page.count('<span class="since" data-waiting="12">waiting 12 min</span>') == 1
            assert page.count(f'data-waiting-steps="{STEPS_TEXT}"') == 1
            assert page.count("late 15 min") == 1
            assert "late 0 min" not in page


# Tabs


@pytest.fixture
def appointments_of_every_kind(okafor):
    for hour, status in enumerate(
        ["booked", "booked", "booked", "arrived", "in_consultation", "completed", "no_show", "cancelled"], start=8
    ):
        create_appointment(okafor, status, at(hour))


def listed(response):
    return [block.status for block in response.context["listed"]]


def tabs(response):
    """Return the names and counts of the tabs, and the current ones."""
    urls = {url: name for name, _count, url in response.context["tabs"]}
    marked = [
        urls[attrs["href"]]
        for tag, attrs in elements(response)
        if tag == "a" and attrs.get("id", "").startswith("tab-") and attrs.get("aria-current") == "true"
    ]
    return [(name, count) for name, count, _url in response.context["tabs"]], marked


def test_tab_lists_its_appointments_and_all_tabs_count_theirs(at_desk, appointments_of_every_kind, isolated):
    cases = [
        ("remaining", ["booked"] * 3),
        ("arrived", ["arrived"]),
        ("in_consultation", ["in_consultation"]),
        ("done", ["completed", "no_show", "cancelled"]),
        (
            "all",
            ["booked", "booked", "booked", "arrived", "in_consultation", "completed", "no_show", "cancelled"],
        ),
    ]
    for tab, statuses in cases:
        with isolated(tab=tab, statuses=statuses):
            response = at_desk.get(DAY, {"layout": "list", "tab": tab})

            assert listed(response) == statuses
            counts = [("remaining", 3), ("arrived", 1), ("in_consultation", 1), ("done", 3), ("all", 8)]
            assert tabs(response) == (counts, [tab])


def test_tabs_hold_every_status_once():
    assert Counter(status for statuses in TABS.values() for status in statuses) == dict.fromkeys(Status, 1)


def test_list_opens_with_all_appointments(at_desk, appointments_of_every_kind, isolated):
    for day in ["2026-11-24", "2026-11-23", "2026-11-25"]:
        with isolated(day=day):
            assert tabs(at_desk.get(f"/schedule/{day}/?layout=list"))[1] == ["all"]


def test_tab_of_a_status_has_the_number_of_the_chip(at_desk, appointments_of_every_kind):
    response = at_desk.get(DAY, {"layout": "list"})

    counts = dict(response.context["day"].counts)
    shown = dict(tabs(response)[0])
    assert {status: shown[status] for status in ("arrived", "in_consultation")} == {
        status: counts[status] for status in ("arrived", "in_consultation")
    }


def test_tabs_count_filtered_appointments(at_desk, appointments_of_every_kind):
    zola = DoctorFactory(full_name="Dr Zola")
    create_appointment(zola, "booked", at(10))

    response = at_desk.get(DAY, {"layout": "list", "doctor": zola.pk})

    assert tabs(response)[0] == [
        ("remaining", 1),
        ("arrived", 0),
        ("in_consultation", 0),
        ("done", 0),
        ("all", 1),
    ]
    assert all(f"doctor={zola.pk}" in url for _name, _count, url in response.context["tabs"])


def test_unknown_tab_lists_all(at_desk, appointments_of_every_kind, isolated):
    for tab in ["nonsense", "\0", "ALL"]:
        with isolated(tab=tab):
            assert len(listed(at_desk.get(DAY, {"layout": "list", "tab": tab}))) == 8


def test_empty_tab_shows_the_number_on_the_day(at_desk, okafor):
    create_appointment(okafor, "completed")

    page = at_desk.get(DAY, {"layout": "list", "tab": "arrived"}).content.decode()

    assert "No appointments in this tab. There is 1 on this day." in page
    assert "No appointments on this day." in at_desk.get(TOMORROW, {"layout": "list"}).content.decode()


def test_grid_shows_all_appointments_on_any_tab(at_desk, appointments_of_every_kind):
    response = at_desk.get(DAY, {"tab": "done"})

    assert sum("block" in attrs.get("class", "").split() for _tag, attrs in elements(response)) == 8
    assert "tabs" not in {attrs.get("class", "").split(" ")[0] for tag, attrs in elements(response) if tag == "nav"}


def test_neighbouring_days_keep_the_tab(at_desk, okafor):
    response = at_desk.get(DAY, {"layout": "list", "tab": "done"})

    assert response.context["next_url"] == f"{TOMORROW}?layout=list&tab=done"


# Cost


def test_buttons_make_the_same_queries_for_3_and_for_30_doctors(client, receptionist, doctor_user, administrator):
    asked = [(user, layout) for user in (receptionist, doctor_user, administrator) for layout in (DAY, ALL)]

    def add_doctors(count):
        for doctor in DoctorFactory.create_batch(count):
            for hour, status in enumerate(["completed", "in_consultation", "arrived", "booked"], start=8):
                create_appointment(doctor, status, at(hour))

    def queries(rows):
        counts = {}
        for user, layout in asked:
            client.force_login(user)
            with CaptureQueriesContext(connection) as captured:
                response = client.get(layout)
            assert len(response.context["day"].listed) == rows
            counts[user.username, layout] = len(captured)
        return counts

    add_doctors(3)
    few = queries(rows=12)
    add_doctors(27)

    assert queries(rows=120) == few


def test_user_without_a_role_has_no_buttons(okafor):
    create_appointment(okafor)

    (block,) = day_view(dt.date(2026, 11, 24), user=UserFactory()).listed

    assert (block.buttons.actions, block.buttons.can_undo, block.buttons.can_change) == ((), False, False)
