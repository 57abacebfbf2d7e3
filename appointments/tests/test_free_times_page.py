"""Free times: on their own page, and in the panel next to the booking form."""

import datetime as dt
import re
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.availability.search import parse_slot, slot_query
from appointments.models import Appointment
from appointments.tests.booking_form import BOOK, at, form_values
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import elements
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

FREE = "/appointments/free/"
TODAY = dt.date(2026, 11, 24)
NONSENSE = [
    ("who", "x"),
    ("who", "d999"),
    ("who", "sAlchemy"),
    ("who", "\0"),
    ("part_of_day", "night"),
    ("part_of_day", "\0"),
    ("weekday", "7"),
    ("weekday", "-1"),
    ("weekday", "x"),
    ("weekday", "\0"),
]


@pytest.fixture
def lindgren():
    return DoctorFactory(full_name="Dr Lindgren", specialization="Dermatology")


def dates(response):
    return [day.date for day in response.context["free_days"]]


def doctors(response):
    return sorted({doctor.full_name for day in response.context["free_days"] for doctor, _slots in day.doctors})


def times(response):
    return sorted({slot.time for day in response.context["free_days"] for _d, slots in day.doctors for slot in slots})


def links(response):
    """Return the addresses that the page links to."""
    return [urljoin(FREE, attrs["href"]) for tag, attrs in elements(response) if tag == "a"]


def booking_links(response):
    return [link for link in links(response) if "slot=" in link]


def leave_five_times(doctor, day):
    """Book the doctor from 10:30 on."""
    for hour, minutes in ((10, 180), (13, 180), (16, 90)):
        AppointmentFactory(doctor=doctor, start_time=at(hour, 30, day=day), duration_minutes=minutes)


def start_in(query):
    """Return the start of the slot in a query string; the zone of the tests shows UTC in winter."""
    _doctor_id, start = parse_slot(dict(parse_qsl(query))["slot"])
    return start


def times_to_take(response):
    """Return the instants that the panel's buttons take."""
    return [start_in(value) for value in taken_by(response, "take")]


def taken_by(response, name):
    """Return what the buttons of a name would send."""
    return [attrs["value"] for tag, attrs in elements(response) if tag == "button" and attrs.get("name") == name]


# The page


def test_page_shows_the_next_days_with_free_time_of_all_doctors(at_desk, okafor, lindgren):
    response = at_desk.get(FREE)

    # Until Monday, as weekends are excluded by default.
    assert [day.day for day in dates(response)] == [24, 25, 26, 27, 30]
    assert doctors(response) == ["Dr Lindgren", "Dr Okafor"]
    assert times(response)[0] == "08:00"


def test_page_links_to_the_booking_form_filled_in(at_desk, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(8, day=24), duration_minutes=120)

    response = at_desk.get(FREE, {"minutes": "45"})

    link = booking_links(response)[0]
    assert urlsplit(link).path == BOOK
    assert urlsplit(link).query == f"{slot_query(okafor.pk, at(10, day=24))}&minutes=45"
    form = at_desk.get(link).context["form"]
    assert (form["doctor"].value(), form["time"].value(), form["duration_minutes"].value()) == (
        okafor.pk,
        dt.time(10),
        45,
    )


def test_page_for_a_patient_leaves_out_the_appointments_of_that_patient(at_desk, okafor, maria):
    AppointmentFactory(patient=maria, start_time=at(10))

    response = at_desk.get(FREE, {"patient": maria.pk, "who": f"d{okafor.pk}", "date": "2026-11-25"})

    first_day = response.context["free_days"][0]
    assert {"10:00", "10:30"} & {slot.time for _doctor, slots in first_day.doctors for slot in slots} == {"10:30"}
    assert f"patient={maria.pk}" in response.content.decode()
    assert "Maria Santos" in response.content.decode()


def test_page_for_a_patient_not_visible_to_the_user_shows_no_name(client, doctor_user, okafor, maria):
    client.force_login(doctor_user)

    response = client.get(FREE, {"patient": maria.pk})

    assert response.context["patient"] is None
    assert "Santos" not in response.content.decode()


def test_doctor_does_not_see_own_patients_appointments_with_others(client, doctor_user, okafor, maria):
    own = DoctorFactory(user=doctor_user)
    AppointmentFactory(patient=maria, doctor=own, start_time=at(15))
    AppointmentFactory(patient=maria, start_time=at(10))
    client.force_login(doctor_user)
    query = {"who": f"d{okafor.pk}", "date": "2026-11-25"}

    for_her, for_anyone = (
        [list(day.doctors) for day in client.get(FREE, asked).context["free_days"]]
        for asked in (query | {"patient": maria.pk}, query)
    )
    assert for_her == for_anyone


def test_weekend_is_not_offered_unless_chosen(client, receptionist, okafor, now):
    now.move_to(dt.datetime(2026, 11, 28, 7, 0, tzinfo=dt.UTC))
    client.force_login(receptionist)
    full = [dt.datetime(2026, 11, 30, 8, 0, tzinfo=dt.UTC) + dt.timedelta(days=number) for number in range(12)]
    for start in full:
        for hours, minutes in ((0, 180), (3, 180), (6, 180), (9, 60)):
            start_time = start + dt.timedelta(hours=hours)
            AppointmentFactory(doctor=okafor, start_time=start_time, duration_minutes=minutes)

    opened = client.get(FREE, {"who": f"d{okafor.pk}"})
    chosen = client.get(FREE, {"who": f"d{okafor.pk}", "date": "2026-11-28"})

    assert opened.context["first_day"] == dt.date(2026, 11, 30)
    assert dates(chosen)[0] == dt.date(2026, 11, 28)
    for response in (opened, chosen):
        later = client.get(FREE, {"who": f"d{okafor.pk}", "date": response.context["later"].isoformat()})
        assert dates(later)[0].weekday() == 0


def test_page_shows_five_times_of_each_doctor_and_a_link_to_more(at_desk, okafor, lindgren):
    leave_five_times(lindgren, day=25)

    response = at_desk.get(FREE, {"date": "2026-11-25", "weekday": "2"})

    for doctor in (okafor, lindgren):
        assert len([link for link in booking_links(response) if f"slot={doctor.pk}-" in link]) == 2 * 5
    assert [link for link in links(response) if "who=" in link] == [
        f"{FREE}?who=d{okafor.pk}&date=2026-11-25",
        f"{FREE}?who=d{lindgren.pk}&date=2026-12-02",
        f"{FREE}?who=d{okafor.pk}&date=2026-12-02",
    ]


def test_five_times_of_a_doctor_need_no_link_to_more(at_desk, okafor):
    leave_five_times(okafor, day=25)

    response = at_desk.get(FREE, {"date": "2026-11-25", "weekday": "2"})

    assert len([link for link in booking_links(response) if start_in(urlsplit(link).query).day == 25]) == 5
    assert [link for link in links(response) if "who=" in link] == [f"{FREE}?who=d{okafor.pk}&date=2026-12-02"]


def test_link_to_more_shows_all_times_of_the_doctor_from_that_day(at_desk, okafor, lindgren, maria):
    asked = {"date": "2026-11-25", "minutes": "45", "part_of_day": "afternoon", "patient": str(maria.pk)}
    more = next(link for link in links(at_desk.get(FREE, asked)) if f"who=d{okafor.pk}" in link)

    response = at_desk.get(more)

    assert dict(parse_qsl(urlsplit(more).query)) == asked | {"who": f"d{okafor.pk}"}
    assert doctors(response) == ["Dr Okafor"]
    assert times(response) == [f"{hour}:{minute}" for hour in range(12, 17) for minute in ("00", "30")]
    assert dates(response)[0] == dt.date(2026, 11, 25)
    assert len(booking_links(response)) == 5 * 10
    assert not [link for link in links(response) if "who=" in link]


def test_times_and_names_are_escaped(at_desk, form_data, maria, isolated):
    name, specialization = 'Dr <b>"O\'Neil" & Sons', "<i>\"Skin\" & 'hair'"
    doctor = DoctorFactory(full_name=name, specialization=specialization)
    pages = {
        "page": lambda: at_desk.get(FREE),
        "panel": lambda: at_desk.get(BOOK),
        "panel of a doctor": lambda: at_desk.post(BOOK, form_data | {"doctor": str(doctor.pk), "look": "1"}),
    }
    for page, asked in pages.items():
        with isolated(page):
            response = asked()

            assert not re.search("<b>.O|<i>.Skin|& Sons|& .hair", response.content.decode())
            attributes = [value for _tag, attrs in elements(response) for value in attrs.values() if value]
            assert f"s{specialization}" in attributes  # an option of the filter
            if page != "page":
                assert any(value.startswith(f"{name}, ") for value in attributes)  # the label of the doctor's times


def test_page_has_no_links_for_users_who_cannot_book(client, request, okafor, isolated):
    for role in ["manager", "doctor_user"]:
        with isolated(role=role):
            client.force_login(request.getfixturevalue(role))

            response = client.get(FREE)

            assert times(response)
            assert BOOK not in response.content.decode()


def test_page_is_filtered(at_desk, okafor, lindgren):
    assert doctors(at_desk.get(FREE, {"who": f"d{okafor.pk}"})) == ["Dr Okafor"]
    assert doctors(at_desk.get(FREE, {"who": "sDermatology"})) == ["Dr Lindgren"]
    assert times(at_desk.get(FREE, {"part_of_day": "evening"})) == ["17:00", "17:30"]
    assert {day.weekday() for day in dates(at_desk.get(FREE, {"weekday": "5"}))} == {5}
    assert dates(at_desk.get(FREE, {"date": "2026-11-28"}))[0] == dt.date(2026, 11, 28)
    assert times(at_desk.get(FREE, {"minutes": "180", "who": f"d{okafor.pk}"}))[-1] == "15:00"


def test_filters_stay_as_chosen(at_desk, lindgren):
    chosen = {"who": "sDermatology", "date": "2026-12-01", "minutes": "45", "part_of_day": "morning", "weekday": "1"}

    response = at_desk.get(FREE, chosen)

    assert {name: str(response.context["filters"][name].value()) for name in chosen} == chosen


def test_page_ignores_nonsense(at_desk, okafor, isolated):
    cases = [
        *NONSENSE,
        ("date", "2026-02-30"),
        ("date", "9999-12-31"),
        ("date", "0001-01-01"),
        ("date", "\0"),
        ("minutes", "14"),
        ("minutes", "181"),
        ("minutes", "x"),
        ("minutes", ""),
        ("patient", "x"),
        ("patient", "999"),
        ("patient", "\0"),
    ]
    as_usual = at_desk.get(FREE)
    for name, value in cases:
        with isolated(name=name, value=value):
            response = at_desk.get(FREE, {name: value})

            assert response.status_code == 200
            assert response.context["free_days"] == as_usual.context["free_days"]


def test_later_days_follow_those_shown(at_desk, okafor):
    first = at_desk.get(FREE)
    (later,) = taken_by(first, "date")

    second = at_desk.get(FREE, {"date": later})

    assert later == "2026-12-01"
    assert dates(second)[0].isoformat() == later
    assert not set(dates(first)) & set(dates(second))


def test_later_days_follow_days_without_free_time(at_desk):
    assert taken_by(at_desk.get(FREE), "date") == ["2026-12-08"]
    assert "until Mon 7 Dec 2026" in at_desk.get(FREE).content.decode()


def test_no_later_days_at_the_calendars_end(at_desk, okafor):
    response = at_desk.get(FREE, {"date": "2199-12-30"})

    assert response.status_code == 200
    assert taken_by(response, "date") == []


def test_past_day_shows_future_free_times(at_desk, okafor):
    assert dates(at_desk.get(FREE, {"date": "2026-11-20"}))[0] == TODAY


def test_page_makes_the_same_queries_for_3_and_for_30_doctors(at_desk, isolated):
    for path in [FREE, BOOK]:
        with isolated(path=path):
            for doctor in DoctorFactory.create_batch(3):
                AppointmentFactory(doctor=doctor, start_time=at(10))
            with CaptureQueriesContext(connection) as few:
                at_desk.get(path)
            for doctor in DoctorFactory.create_batch(27):
                AppointmentFactory(doctor=doctor, start_time=at(10))

            with CaptureQueriesContext(connection) as many:
                response = at_desk.get(path)

            assert len(doctors(response)) == 30
            assert len(few) == len(many) <= 9


# The panel beside the booking form


def look(at_desk, form_data, **filters):
    return at_desk.post(BOOK, form_data | {"look": "1"} | filters)


def test_panel_shows_the_chosen_doctor_from_the_typed_day(at_desk, form_data, lindgren):
    response = look(at_desk, form_data)

    assert doctors(response) == ["Dr Okafor"]
    assert dates(response)[0] == dt.date(2026, 11, 25)
    assert response.context["is_one_doctor"]


def test_panel_without_a_doctor_shows_everyone(at_desk, form_data, lindgren):
    assert doctors(look(at_desk, form_data | {"doctor": ""})) == ["Dr Lindgren", "Dr Okafor"]


def test_panel_shows_five_times_of_each_doctor_and_all_of_one(at_desk, form_data, lindgren):
    of_everyone = look(at_desk, form_data | {"doctor": ""})
    of_one = look(at_desk, form_data)

    half_hours = [at(hour, minute, day=25) for hour in range(8, 18) for minute in (0, 30)]
    assert [start for start in times_to_take(of_everyone) if start.day == 25] == 2 * half_hours[:5]
    assert [start for start in times_to_take(of_one) if start.day == 25] == half_hours


def test_panel_shows_eight_doctors_a_day(at_desk, form_data, okafor):
    DoctorFactory.create_batch(7)
    all_doctors = look(at_desk, form_data | {"doctor": ""})
    DoctorFactory()

    not_all = look(at_desk, form_data | {"doctor": ""})

    for response in (all_doctors, not_all):
        assert len(times_to_take(response)) == 5 * 8 * 5
    assert "More doctors are free" not in all_doctors.content.decode()
    assert "More doctors are free" in not_all.content.decode()


def test_each_list_of_the_panel_names_doctor_and_date(at_desk, form_data, lindgren):
    groups = [attrs["aria-label"] for tag, attrs in elements(look(at_desk, form_data)) if attrs.get("role") == "group"]

    assert groups[:2] == ["Dr Okafor, Wed 25 Nov 2026", "Dr Okafor, Thu 26 Nov 2026"]


def test_panel_fits_the_length_and_the_patient(at_desk, form_data, maria, lindgren):
    AppointmentFactory(patient=maria, doctor=lindgren, start_time=at(8), duration_minutes=180)

    first_day = look(at_desk, form_data | {"duration_minutes": "180"}).context["free_days"][0]

    (_okafor, slots), *_others = first_day.doctors
    assert slots[0].time == "11:00"


def test_panel_is_filtered_by_doctor_and_specialization(at_desk, form_data, lindgren, isolated):
    cases = [
        ({"who": "anyone"}, ["Dr Lindgren", "Dr Okafor"]),
        ({"who": "sDermatology"}, ["Dr Lindgren"]),
        ({"who": ""}, ["Dr Okafor"]),
    ]
    for filters, expected in cases:
        with isolated(filters=filters, expected=expected):
            assert doctors(look(at_desk, form_data, **filters)) == expected


def test_panel_can_be_filtered_by_another_doctor_than_chosen(at_desk, form_data, lindgren):
    response = look(at_desk, form_data, who=f"d{lindgren.pk}")

    assert doctors(response) == ["Dr Lindgren"]
    assert form_values(response)["doctor"] == form_data["doctor"]


def test_panel_is_filtered_by_part_of_day_and_weekday(at_desk, form_data):
    response = look(at_desk, form_data, part_of_day="morning", weekday="0")

    assert times(response)[-1] == "11:30"
    # The typed day is a Wednesday, which the filter excludes.
    assert [day.isoformat() for day in dates(response)] == ["2026-11-30", "2026-12-07"]


def test_panel_ignores_nonsense(at_desk, form_data, isolated):
    as_usual = look(at_desk, form_data)
    for name, value in [*NONSENSE, ("later", "x"), ("later", "9999-12-31"), ("later", "\0")]:
        with isolated(name=name, value=value):
            response = look(at_desk, form_data, **{name: value})

            assert response.context["free_days"] == as_usual.context["free_days"]
            assert form_values(response) == form_data


def test_panel_shows_later_days_and_keeps_the_day_typed(at_desk, form_data):
    (later,) = taken_by(look(at_desk, form_data), "later")

    response = at_desk.post(BOOK, form_data | {"later": later})

    assert later == "2026-12-02"
    assert dates(response)[0] == dt.date(2026, 12, 2)
    assert form_values(response) == form_data
    assert not Appointment.objects.exists()


def test_panel_keeps_its_filters_in_the_next_step(at_desk, form_data, lindgren):
    response = at_desk.post(BOOK, form_data | {"who": "sDermatology", "part_of_day": "evening", "take": "time=11%3A00"})

    assert doctors(response) == ["Dr Lindgren"]
    assert times(response) == ["17:00", "17:30"]
    assert form_values(response)["time"] == "11:00:00"


def test_panel_for_a_past_day_starts_today(at_desk, form_data):
    assert look(at_desk, form_data | {"date": "2026-11-20"}).context["first_day"] == TODAY


def test_panel_for_an_invalid_length_shows_times_for_the_shortest(at_desk, form_data, okafor, isolated):
    for minutes in ["x", "0", "181", "99999999999999999999", "-30"]:
        with isolated(minutes=minutes):
            AppointmentFactory(doctor=okafor, start_time=at(8, 15), duration_minutes=180)

            first_day = look(at_desk, form_data | {"duration_minutes": minutes}).context["free_days"][0]

            (_okafor, slots), *_others = first_day.doctors
            assert [slot.time for slot in slots][:2] == ["08:00", "11:15"]


def test_panel_shows_a_message_when_nothing_is_free(at_desk, form_data, okafor):
    response = look(at_desk, form_data | {"doctor": "999"})

    assert response.context["free_days"] == []
    assert "No matching free times until Tue 8 Dec 2026." in response.content.decode()


def test_htmx_request_returns_only_the_panel(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"later": "2026-12-01"}, headers={"HX-Request": "true"})

    assert response.templates[0].name == "appointments/availability/_free_times.html"
    assert 'name="csrfmiddlewaretoken"' not in response.content.decode()
    assert dates(response)[0] == dt.date(2026, 12, 1)


def test_panel_of_the_move_form_treats_its_own_time_as_free(at_desk, okafor):
    moving = AppointmentFactory(doctor=okafor, start_time=at(9, 30), duration_minutes=60)
    AppointmentFactory(doctor=okafor, start_time=at(14), patient=PatientFactory())

    response = at_desk.get(f"/appointments/{moving.pk}/move/")

    first_day = response.context["free_days"][0]
    found = {slot.time for _doctor, slots in first_day.doctors for slot in slots}
    assert "10:00" in found
    assert "14:00" not in found
