"""FHIR slots: the free times the portal offers, and the times of appointments."""

import datetime as dt
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.availability.search import SlotSearch, find_free
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from appointments.tests.fhir_answers import BASE, found, ids, pages, read, refused
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

SIGN_IN = 1  # query: token with its user and permissions
NOVEMBER = ["ge2026-11-24", "lt2026-12-01"]


def search(client, doctor, start="2026-11-25", **sought):
    query = urlencode({"schedule": f"Schedule/{doctor.pk}", "start": start, **sought}, doseq=True)
    return client.get(f"{BASE}/Slot?{query}")


def starts(response):
    return [each["start"][11:16] for each in found(response)]


def test_free_slots_are_the_times_the_portal_offers(fhir, okafor):
    TimetableFactory(doctor=okafor)
    LeaveFactory(doctor=okafor, start_time=at(8, day=26), end_time=at(12, day=26))
    ClosureFactory(date=dt.date(2026, 11, 27))
    AppointmentFactory(doctor=okafor, start_time=at(9, 10), duration_minutes=45)

    offered = find_free(SlotSearch(), [okafor], first_day=dt.date(2026, 11, 24), days=7).slots()
    shown = found(search(fhir, okafor, NOVEMBER, status="free", _count=200))

    assert [each["start"] for each in shown] == sorted(f"{each.start:%Y-%m-%dT%H:%M:%SZ}" for each in offered)
    assert {each["start"][8:10] for each in shown} == {"24", "25", "26", "30"}
    assert {each["status"] for each in shown} == {"free"}


def test_slot_lasts_the_doctors_usual_length(fhir):
    doctor = DoctorFactory(usual_minutes=45)

    first = found(search(fhir, doctor))[0]

    assert first == {
        "resourceType": "Slot",
        "id": f"{doctor.pk}-{int(at(8).timestamp()) // 60}-45",
        "schedule": {"reference": f"Schedule/{doctor.pk}"},
        "status": "free",
        "start": "2026-11-25T08:00:00Z",
        "end": "2026-11-25T08:45:00Z",
    }


def test_appointment_is_busy_while_its_status_takes_time(fhir, okafor, isolated):
    cases = [
        ("booked", True),
        ("arrived", True),
        ("in_consultation", True),
        ("completed", True),
        ("no_show", False),
        ("cancelled", False),
    ]
    for status, is_busy in cases:
        with isolated(status=status, is_busy=is_busy):
            AppointmentFactory(doctor=okafor, start_time=at(10), status=status)
            AppointmentFactory(start_time=at(11))  # another doctor's

            busy, free = (starts(search(fhir, okafor, status=each)) for each in ("busy", "free"))

            assert busy == (["10:00"] if is_busy else [])
            assert ("10:00" in free) is not is_busy


def test_slots_of_both_kinds_come_in_order_of_time(fhir, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(8, 30))

    shown = found(search(fhir, okafor))

    assert [each["start"] for each in shown] == sorted(each["start"] for each in shown)
    assert [each["status"] for each in shown[:3]] == ["free", "busy", "free"]
    assert len(shown) == len(found(search(fhir, okafor, status="free,busy")))


@pytest.mark.both_databases
def test_range_includes_its_start_and_not_its_end(fhir, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(10))

    shown = starts(search(fhir, okafor, ["ge2026-11-25T09:30:00Z", "lt2026-11-25T10:30:00Z"]))

    assert shown == ["09:30", "10:00"]
    assert starts(search(fhir, okafor, ["gt2026-11-25T09:30Z", "le2026-11-25T10:30Z"])) == ["10:00", "10:30"]
    assert starts(search(fhir, okafor, ["gt2026-11-25", "lt2026-11-25"])) == []


def test_past_time_is_not_free_but_busy(fhir, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(9, day=20))
    AppointmentFactory(doctor=okafor, start_time=at(8, day=24))

    shown = found(search(fhir, okafor, ["ge2026-11-20", "lt2026-11-25"]))

    assert [each["start"] for each in shown if each["status"] == "busy"] == [
        "2026-11-20T09:00:00Z",
        "2026-11-24T08:00:00Z",
    ]
    assert min(each["start"] for each in shown if each["status"] == "free") > "2026-11-24T09:00:00Z"


def test_weekend_of_a_doctor_without_hours_has_no_free_slots(fhir, okafor):
    assert starts(search(fhir, okafor, "2026-11-28")) == []
    assert starts(search(fhir, okafor, ["ge2026-11-27T20:00:00Z", "lt2026-11-29"])) == []


def test_inactive_doctor_has_no_free_time(fhir):
    doctor = DoctorFactory(is_active=False)

    assert found(search(fhir, doctor)) == []
    doctor.is_active = True
    doctor.save()
    assert len(found(search(fhir, doctor))) == 20


def test_several_schedules_are_searched_at_once(fhir, okafor):
    other = DoctorFactory()
    query = f"schedule={okafor.pk},Schedule/{other.pk},999999&start=2026-11-25&status=free&_count=200"

    shown = found(fhir.get(f"{BASE}/Slot?{query}"))

    assert {each["schedule"]["reference"] for each in shown} == {f"Schedule/{okafor.pk}", f"Schedule/{other.pk}"}
    assert len({each["id"] for each in shown}) == len(shown) == 40


def test_slots_on_a_clock_change_follow_clinic_time(fhir, now, okafor, isolated):
    for day in ["2027-03-28", "2026-10-25"]:
        with isolated(day=day):
            now.move_to(dt.datetime(2026, 10, 20, 9, tzinfo=dt.UTC))
            week = {6: [(dt.time(0), dt.time(4))]}
            TimetableFactory(doctor=okafor, week=week)

            shown = found(search(fhir, okafor, day))

            assert len(shown) == {"2027-03-28": 6, "2026-10-25": 10}[day]
            assert len({each["start"] for each in shown}) == len(shown)


def test_pages_show_each_slot_once(fhir, okafor, isolated):
    for count in [1, 3, 7, 50]:
        with isolated(count=count):
            AppointmentFactory(doctor=okafor, start_time=at(10))
            all_of_them = ids(search(fhir, okafor, _count=200))

            shown = list(pages(fhir, search(fhir, okafor, _count=count)))

            assert [key for page in shown for key in page] == all_of_them
            assert len(all_of_them) == 20
            assert all(len(page) == count for page in shown[:-1])


@pytest.mark.both_databases
def test_next_page_continues_after_a_slot_taken_meanwhile(fhir, okafor):
    first = search(fhir, okafor, status="free", _count=5)
    AppointmentFactory(doctor=okafor, start_time=at(10), duration_minutes=30)

    rest = list(pages(fhir, first))[1:]

    assert rest[0] == [each["id"] for each in found(search(fhir, okafor, status="free"))][4:9]


def test_total_is_omitted_if_not_requested(fhir, okafor):
    bundle = search(fhir, okafor, NOVEMBER, _total="none").json()

    assert bundle["entry"]
    assert "total" not in bundle


def test_count_of_zero_returns_only_the_total(fhir, okafor):
    bundle = read(search(fhir, okafor, _count=0))

    assert (bundle["total"], "entry" in bundle) == (20, False)


# One slot


def test_slot_is_read_with_its_current_state(fhir, okafor):
    first = found(search(fhir, okafor))[0]
    address = f"{BASE}/Slot/{first['id']}"

    free = read(fhir.get(address))
    appointment = AppointmentFactory(doctor=okafor, start_time=at(8))
    busy = read(fhir.get(address))

    assert free == first
    assert busy == first | {"status": "busy"}
    appointment = read(fhir.get(f"{BASE}/Appointment/{appointment.pk}"))
    assert appointment["slot"] == [{"reference": f"Slot/{first['id']}"}]


def test_time_that_is_not_offered_is_not_a_slot(fhir, okafor, subtests):
    for hour, minute, length in [(7, 0, 30), (8, 10, 30), (8, 0, 45), (8, 0, 0), (18, 0, 30)]:
        with subtests.test(hour=hour, minute=minute, length=length):
            key = f"{okafor.pk}-{int(at(hour, minute).timestamp()) // 60}-{length}"

            refused(fhir.get(f"{BASE}/Slot/{key}"), 404, "not-found")


def test_slot_with_an_impossible_time_is_not_found(fhir, okafor, subtests):
    for minutes in ["999999999", "-999999999", "-36815040", "120960000", "-0", "--1", "1_0"]:
        with subtests.test(minutes=minutes):
            refused(fhir.get(f"{BASE}/Slot/{okafor.pk}-{minutes}-30"), 404, "not-found")


# Refusals


def test_search_with_too_few_or_too_many_parameters_is_refused(fhir, subtests):
    cases = [
        ("start=2026-11-25", "required"),
        ("schedule=1", "required"),
        ("schedule=1&start=ge2026-11-25", "required"),
        ("schedule=1&start=lt2026-11-25", "required"),
        ("schedule=1&start=ne2026-11-25", "required"),
        ("schedule=1&start=2026", "too-costly"),
        ("schedule=1&start=ge2026-11-01&start=lt2026-12-03", "too-costly"),
        ("schedule=1&start=2026-11-25,2026-11-26", "value"),
        ("schedule=Practitioner/1&start=2026-11-25", "value"),
        ("schedule=1&start=2026-11-25&status=busy-tentative", "value"),
        ("schedule=1&start=2026-11-25&after=x", "value"),
        ("schedule=1&start=2026-11-25&after=1-999999999-30", "value"),
        ("schedule=1&start=10000-01-01", "value"),
    ]
    for query, code in cases:
        with subtests.test(query=query, code=code):
            refused(fhir.get(f"{BASE}/Slot?{query}"), 400, code)


@pytest.mark.both_databases
def test_longest_range_and_the_calendars_ends_are_answered(fhir, okafor, subtests):
    cases = [
        "2026-10",  # 31 days and the hour that the clock change adds
        ["ge2026-10-25", "lt2026-11-25"],
        "1900-01-01",
        "2199-12-31",
        ["ge2199-12-31T23:00:00-14:00", "le2199-12-31T23:59:00-14:00"],
        ["ge1900-01-01T00:00:00+14:00", "lt1900-01-01"],
    ]
    for start in cases:
        with subtests.test(start=start):
            read(search(fhir, okafor, start))


# Queries


def test_search_makes_the_same_queries_for_3_and_for_30_appointments(fhir, okafor):
    for day in (24, 25, 26):
        AppointmentFactory(doctor=okafor, start_time=at(10, day=day))
    search(fhir, okafor, NOVEMBER, _count=200)  # the use of a token is recorded once a minute
    with CaptureQueriesContext(connection) as few:
        search(fhir, okafor, NOVEMBER, _count=200)
    for number in range(27):
        AppointmentFactory(doctor=okafor, start_time=at(11 + number % 6, 30 * (number // 18), day=24 + number // 6 % 3))

    with CaptureQueriesContext(connection) as many:
        response = search(fhir, okafor, NOVEMBER, _count=200)

    assert [each["status"] for each in found(response)].count("busy") == 30
    assert len(few) == len(many) == 6 + SIGN_IN
