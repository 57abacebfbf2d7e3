"""After a booking, move or cancellation the way leads to the visit in the day view, or week, one came from.

And nowhere else.
"""

import pytest
from django.test import RequestFactory

from appointments.navigation import appointment_url, day_url, origin_url
from appointments.tests.booking_form import BOOK, at
from appointments.tests.factories import AppointmentFactory
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.usefixtures("db", "now")

HOSTILE = [
    "https://evil.example/",
    "//evil.example/schedule/",
    "https://evil.example/?next=https://evil.example/",
    "https://evil.example/schedule/2026-11-24/",
    "javascript:alert(1)",
    "/\\evil.example",
    "http://[",
    "//[x]:y/?layout=list",
    "?doctor=%00",
    "\0",
    "?layout=list&layout=",
    "&" * 5000,
]


@pytest.fixture
def visit(okafor):
    """With Dr Okafor, of General practice, on Wednesday."""
    return AppointmentFactory(doctor=okafor, start_time=at(10))


def request_from(referer="", **query):
    return RequestFactory().get(BOOK, query, headers={"Referer": referer} if referer else {})


# Where one came from


@pytest.mark.parametrize(
    ("referer", "read"),
    [
        ("http://testserver/schedule/2026-11-24/?doctor=3&layout=list", "/schedule/2026-11-24/?doctor=3&layout=list"),
        ("http://testserver/schedule/?tab=done", "/schedule/?tab=done"),
        ("http://testserver/?layout=list", "/?layout=list"),
        ("http://testserver/schedule/2026-11-24/", "/schedule/2026-11-24/?"),
        ("http://testserver/doctors/3/week/2026-11-24/", "/doctors/3/week/2026-11-24/?"),
        ("http://testserver/doctors/3/", ""),
        ("https://evil.example/doctors/3/week/2026-11-24/", ""),
        ("http://testserver/patients/7/?layout=list", ""),
        ("http://testserver:8000/schedule/?layout=list", ""),
        ("https://evil.example/schedule/?layout=list", ""),
        ("", ""),
        *[(address, "") for address in HOSTILE],
    ],
)
def test_day_view_that_led_here_is_read_from_the_referer(referer, read):
    assert origin_url(request_from(referer)) == read


def test_address_says_where_one_came_from_before_the_referer():
    request = request_from("http://testserver/schedule/?layout=list", **{"from": "/schedule/?doctor=3"})

    assert origin_url(request) == "/schedule/?doctor=3"


# The visit's place


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("?layout=list", "?layout=list"),
        ("?doctor={own}", "?doctor={own}"),
        ("?doctor={other}", ""),
        ("?specialization=General+practice", "?specialization=General+practice"),
        ("?specialization=Dermatology", ""),
        ("?doctor={other}&specialization=General+practice&layout=list", "?specialization=General+practice&layout=list"),
        ("?doctor=x", ""),
        ("?tab=done&move=7&next=//evil.example&unknown=1", ""),
    ],
)
def test_filters_that_show_the_visit_are_kept(visit, query, kept):
    ids = {"own": visit.doctor_id, "other": DoctorFactory(specialization="Dermatology").pk}

    url = appointment_url(visit, origin_url="/schedule/2026-11-24/" + query.format(**ids))

    assert url == f"/schedule/2026-11-25/{kept.format(**ids)}#v{visit.pk}"


def test_day_view_to_move_in_is_the_grid(visit):
    url = appointment_url(visit, origin_url="/schedule/2026-11-24/?layout=list&tab=all", move=True)

    assert url == f"/schedule/2026-11-25/?move={visit.pk}#v{visit.pk}"


@pytest.mark.parametrize("address", HOSTILE)
def test_place_is_in_the_day_view_whatever_is_said(visit, address):
    assert appointment_url(visit, origin_url=address).startswith("/schedule/2026-11-25/")


# On the pages


@pytest.mark.parametrize("address", HOSTILE)
def test_booking_move_and_cancellation_lead_nowhere_else(at_desk, typed, visit, address):
    booked = at_desk.post(BOOK, typed | {"time": "14:00", "next": address})
    at_button = f"doctor={visit.doctor_id}&date=2026-11-25&time=11:00"
    moved = at_desk.post(f"/appointments/{visit.pk}/move/", {"version": 1, "at": at_button, "next": address})
    cancelled = at_desk.post(
        f"/appointments/{visit.pk}/cancel/", {"version": 2, "quick": "patient:Cannot come", "next": address}
    )

    for response in (booked, moved, cancelled):
        # A NUL is no text that a form takes; what is refused leads nowhere at all.
        if response.status_code == 302 or "\0" not in address:
            assert response["Location"].startswith("/schedule/2026-11-25/")


@pytest.mark.parametrize("address", HOSTILE)
@pytest.mark.parametrize(
    "path", [BOOK, "/appointments/{pk}/", "/appointments/{pk}/move/", "/appointments/{pk}/cancel/"]
)
def test_pages_open_whatever_is_said(at_desk, visit, path, address):
    url = path.format(pk=visit.pk)

    assert at_desk.get(url, {"from": address}).status_code == 200
    assert at_desk.get(url, headers={"Referer": address}).status_code == 200


def test_appointment_page_leads_on_and_back_with_the_filters(at_desk, visit):
    response = at_desk.get(
        f"/appointments/{visit.pk}/",
        headers={"Referer": f"http://testserver/schedule/2026-11-25/?doctor={visit.doctor_id}&layout=list"},
    )

    kept = f"doctor={visit.doctor_id}"
    assert response.context["schedule_url"] == f"/schedule/2026-11-25/?{kept}&layout=list#v{visit.pk}"
    assert response.context["move_url"] == f"/schedule/2026-11-25/?{kept}&move={visit.pk}#v{visit.pk}"
    page = response.content.decode()
    cancel = page[page.index(f"/appointments/{visit.pk}/cancel/") :].partition('"')[0]
    form = at_desk.get(cancel).context["form"]
    assert form["next"].value() == f"/schedule/2026-11-25/?{kept}&layout=list"


def test_cancellation_leads_back_to_the_day_view_as_it_was(at_desk, visit):
    origin_url = f"/schedule/2026-11-25/?doctor={visit.doctor_id}&layout=list"

    response = at_desk.post(
        f"/appointments/{visit.pk}/cancel/", {"version": 1, "quick": "patient:Cannot come", "next": origin_url}
    )

    assert response["Location"] == f"{origin_url}#v{visit.pk}"


# Back without a booking


@pytest.mark.parametrize("step", [{}, {"look": "1"}])
def test_back_to_the_day_keeps_its_filters(at_desk, okafor, step):
    asked = f"?date=2026-11-25&from=/schedule/2026-11-24/%3Fdoctor={okafor.pk}%26layout=list"
    response = at_desk.get(BOOK + asked)
    if step:
        form = response.context["form"]
        sent = {name: form[name].value() for name in ("date", "next", "booking_key")}
        response = at_desk.post(BOOK, sent | step)

    assert response.context["back_url"] == f"/schedule/2026-11-25/?doctor={okafor.pk}&layout=list"


@pytest.mark.parametrize("address", HOSTILE)
def test_back_to_the_day_leads_nowhere_else(at_desk, address):
    response = at_desk.get(BOOK, {"date": "2026-11-25", "from": address})

    assert response.context["back_url"].startswith("/schedule/2026-11-25/")


# From a week and back

WEEK = "/doctors/{pk}/week/2026-12-01/?"


def test_who_came_from_a_week_is_led_to_the_week_of_the_visit(visit, okafor):
    other = DoctorFactory()

    for doctor in (okafor, other):
        came = WEEK.format(pk=doctor.pk)
        assert appointment_url(visit, origin_url=came) == f"/doctors/{okafor.pk}/week/2026-11-25/#v{visit.pk}"


def test_who_came_from_a_week_picks_a_new_time_in_the_day_view(visit, okafor):
    came = WEEK.format(pk=okafor.pk)

    assert appointment_url(visit, origin_url=came, move=True) == f"/schedule/2026-11-25/?move={visit.pk}#v{visit.pk}"


def test_who_came_from_a_week_is_led_back_to_it_without_booking(okafor):
    came = WEEK.format(pk=okafor.pk)

    assert day_url(at(10).date(), origin_url=came) == f"/doctors/{okafor.pk}/week/2026-11-25/"


def test_visit_booked_from_a_week_is_shown_in_it(at_desk, okafor, typed):
    response = at_desk.post(BOOK, typed | {"next": WEEK.format(pk=okafor.pk)})

    assert response["Location"].startswith(f"/doctors/{okafor.pk}/week/2026-11-25/#v")
