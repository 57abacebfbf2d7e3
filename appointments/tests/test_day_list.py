"""The list layout of a day: its groups, columns and ticks."""

import datetime as dt

import pytest

from appointments.schedule.day import day_view
from appointments.schedule.list_groups import groups_of
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import NOW, at, elements
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TODAY = dt.date(2026, 11, 24)
LIST = "/schedule/2026-11-24/?layout=list"
CANCELLED = {"cancelled_by": "patient", "cancel_reason": "Ill"}


def groups(user, day=TODAY):
    """Return the starts of the appointments by the titles of their groups."""
    day = day_view(day, user=user)
    return {group.title: [block.time for block in group.blocks] for group in groups_of(day, day.listed)}


def heads(response):
    """Return how many columns the list has, and the names of its ticks."""
    found = elements(response)
    columns = [attrs for tag, attrs in found if tag == "th" and attrs.get("scope") == "col"]
    return len(columns), [attrs["aria-label"] for _tag, attrs in found if attrs.get("name") == "appointment"]


# Groups


def test_today_is_grouped_by_what_is_to_be_done(okafor, receptionist):
    for start_time, status, values in [
        (at(7), "booked", {}),
        (at(7, 30), "completed", {}),
        (at(8), "no_show", {}),
        (at(8, 45), "booked", {}),
        (at(9, 15), "booked", {}),
        (at(11), "booked", {}),
        (at(11, 30), "arrived", {"arrived_at": NOW}),
        (at(12), "in_consultation", {}),
        (at(13), "cancelled", CANCELLED),
    ]:
        AppointmentFactory(doctor=okafor, start_time=start_time, status=status, **values)

    assert list(groups(receptionist).items()) == [
        ("Waiting now", ["11:30"]),
        ("No outcome yet", ["07:00"]),
        ("Late", ["08:45"]),
        ("Next hour", ["09:15"]),
        ("Later", ["11:00"]),
        ("In consultation", ["12:00"]),
        ("Done", ["07:30", "08:00"]),
        ("Cancelled", ["13:00"]),
    ]


@pytest.mark.parametrize(
    ("minutes", "title"),
    [
        (-31, "No outcome yet"),
        (-30, "No outcome yet"),
        (-29, "Late"),
        (-1, "Late"),
        (0, "Next hour"),
        (60, "Next hour"),
        (61, "Later"),
    ],
)
def test_group_changes_with_the_minute(receptionist, minutes, title):
    AppointmentFactory(start_time=NOW + dt.timedelta(minutes=minutes))

    assert list(groups(receptionist)) == [title]


def test_who_waits_the_longest_is_first(receptionist):
    for hour, waiting in [(7, 10), (8, 50), (10, 30)]:
        arrived_at = NOW - dt.timedelta(minutes=waiting)
        AppointmentFactory(start_time=at(hour), status="arrived", arrived_at=arrived_at)

    assert groups(receptionist)["Waiting now"][0] == "08:00"


def test_other_days_are_in_order_of_time(okafor, receptionist):
    for hour in (10, 9):
        AppointmentFactory(doctor=okafor, start_time=at(hour, day=25))
        AppointmentFactory(doctor=okafor, start_time=at(hour, day=23), status="arrived")

    assert groups(receptionist, dt.date(2026, 11, 25)) == {"": ["09:00", "10:00"]}
    assert groups(receptionist, dt.date(2026, 11, 23)) == {"": ["09:00", "10:00"]}
    assert groups(receptionist, dt.date(2026, 11, 26)) == {}


# Columns


def test_list_has_no_empty_columns_for_a_manager(client, manager, receptionist):
    AppointmentFactory(start_time=at(10), reason="Rash")

    client.force_login(receptionist)
    assert heads(client.get(LIST))[0] == 8
    client.force_login(manager)
    assert heads(client.get(LIST)) == (4, [])


def test_phone_number_is_a_link(at_desk):
    AppointmentFactory(patient=PatientFactory(phone_number="+351 912 345 678"), start_time=at(10))

    links = [attrs["href"] for _tag, attrs in elements(at_desk.get(LIST)) if attrs.get("class") == "tel"]

    assert links == ["tel:+351912345678"]


# Ticks


def test_appointments_that_can_be_acted_on_have_a_tick(at_desk, okafor):
    maria = PatientFactory(first_name="Maria", last_name="Silva")
    for hour, status in enumerate(
        ["booked", "arrived", "in_consultation", "completed", "no_show", "cancelled"], start=10
    ):
        values = CANCELLED if status == "cancelled" else {}
        AppointmentFactory(doctor=okafor, patient=maria, start_time=at(hour), status=status, **values)

    assert heads(at_desk.get(LIST))[1] == ["11:00 Maria Silva", "10:00 Maria Silva"]


def test_doctor_ticks_own_appointments_only(client, doctor_user):
    own = AppointmentFactory(doctor=DoctorFactory(user=doctor_user), start_time=at(7))
    AppointmentFactory(start_time=at(7))
    client.force_login(doctor_user)

    response = client.get(LIST)

    values = [attrs["value"] for _tag, attrs in elements(response) if attrs.get("name") == "appointment"]
    assert values == [f"{own.pk}:{own.version}"]


def test_buttons_for_ticked_appointments_are_for_who_may_use_them(client, receptionist, doctor_user, manager, isolated):
    for user, names in [
        (receptionist, {"attended", "no_show", "cancel"}),
        (doctor_user, {"attended", "no_show"}),
        (manager, set()),
    ]:
        with isolated(user=user):
            client.force_login(user)
            found = elements(client.get(LIST))

            assert {
                attrs["value"] for tag, attrs in found if tag == "button" and attrs.get("name") == "action"
            } == names
