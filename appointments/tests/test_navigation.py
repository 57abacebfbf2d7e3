"""After a booking, move or cancellation the user returns to the appointment in the day view or week they came from."""

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
def appointment(okafor):
    """With Dr Okafor, of General practice, on Wednesday."""
    return AppointmentFactory(doctor=okafor, start_time=at(10))


def request_from(referer="", **query):
    return RequestFactory().get(BOOK, query, headers={"Referer": referer} if referer else {})


# Where one came from


def test_origin_is_read_from_the_referer(isolated):
    cases = [
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
    ]
    for referer, read in cases:
        with isolated(referer=referer, read=read):
            assert origin_url(request_from(referer)) == read


def test_origin_in_the_url_wins_over_the_referer():
    request = request_from("http://testserver/schedule/?layout=list", **{"from": "/schedule/?doctor=3"})

    assert origin_url(request) == "/schedule/?doctor=3"


# The appointment's place


def test_filters_that_show_the_appointment_are_kept(appointment, isolated):
    cases = [
        ("", ""),
        ("?layout=list", "?layout=list"),
        ("?doctor={own}", "?doctor={own}"),
        ("?doctor={other}", ""),
        ("?specialization=General+practice", "?specialization=General+practice"),
        ("?specialization=Dermatology", ""),
        ("?doctor={other}&specialization=General+practice&layout=list", "?specialization=General+practice&layout=list"),
        ("?doctor=x", ""),
        ("?tab=done&move=7&next=//evil.example&unknown=1", ""),
    ]
    for query, expected in cases:
        with isolated(query=query, expected=expected):
            ids = {"own": appointment.doctor_id, "other": DoctorFactory(specialization="Dermatology").pk}

            url = appointment_url(appointment, origin_url="/schedule/2026-11-24/" + query.format(**ids))

            assert url == f"/schedule/2026-11-25/{expected.format(**ids)}#v{appointment.pk}"


def test_day_view_to_move_in_is_the_grid(appointment):
    url = appointment_url(appointment, origin_url="/schedule/2026-11-24/?layout=list&tab=all", move=True)

    assert url == f"/schedule/2026-11-25/?move={appointment.pk}#v{appointment.pk}"


def test_hostile_origin_redirects_to_the_day_view(appointment, isolated):
    for address in HOSTILE:
        with isolated(address=address):
            assert appointment_url(appointment, origin_url=address).startswith("/schedule/2026-11-25/")


# On the pages


def test_hostile_next_redirects_to_the_day_view_after_any_change(at_desk, form_data, appointment, isolated):
    for address in HOSTILE:
        with isolated(address=address):
            booked = at_desk.post(BOOK, form_data | {"time": "14:00", "next": address})
            at_button = f"doctor={appointment.doctor_id}&date=2026-11-25&time=11:00"
            moved = at_desk.post(
                f"/appointments/{appointment.pk}/move/", {"version": 1, "at": at_button, "next": address}
            )
            cancelled = at_desk.post(
                f"/appointments/{appointment.pk}/cancel/",
                {"version": 2, "quick": "patient:Cannot come", "next": address},
            )

            for response in (booked, moved, cancelled):
                # Forms refuse a NUL, so there is no redirect.
                if response.status_code == 302 or "\0" not in address:
                    assert response["Location"].startswith("/schedule/2026-11-25/")


def test_pages_open_with_a_hostile_origin(at_desk, appointment, isolated):
    # All four read the origin in the same way, so only one of them is opened with every address.
    odd = ["http://[", "\0"]
    pages = {
        BOOK: odd,
        "/appointments/{pk}/": odd,
        "/appointments/{pk}/move/": odd,
        "/appointments/{pk}/cancel/": HOSTILE,
    }
    for path, addresses in pages.items():
        for address in addresses:
            with isolated(address=address, path=path):
                url = path.format(pk=appointment.pk)

                assert at_desk.get(url, {"from": address}).status_code == 200
                assert at_desk.get(url, headers={"Referer": address}).status_code == 200


def test_appointment_page_links_keep_the_filters(at_desk, appointment):
    response = at_desk.get(
        f"/appointments/{appointment.pk}/",
        headers={"Referer": f"http://testserver/schedule/2026-11-25/?doctor={appointment.doctor_id}&layout=list"},
    )

    expected = f"doctor={appointment.doctor_id}"
    assert response.context["schedule_url"] == f"/schedule/2026-11-25/?{expected}&layout=list#v{appointment.pk}"
    assert response.context["move_url"] == f"/schedule/2026-11-25/?{expected}&move={appointment.pk}#v{appointment.pk}"
    page = response.content.decode()
    cancel = page[page.index(f"/appointments/{appointment.pk}/cancel/") :].partition('"')[0]
    form = at_desk.get(cancel).context["form"]
    assert form["next"].value() == f"/schedule/2026-11-25/?{expected}&layout=list"


def test_cancellation_returns_to_the_day_view_as_it_was(at_desk, appointment):
    origin_url = f"/schedule/2026-11-25/?doctor={appointment.doctor_id}&layout=list"

    response = at_desk.post(
        f"/appointments/{appointment.pk}/cancel/", {"version": 1, "quick": "patient:Cannot come", "next": origin_url}
    )

    assert response["Location"] == f"{origin_url}#v{appointment.pk}"


# Back without a booking


def test_back_to_the_day_keeps_its_filters(at_desk, okafor, isolated):
    for step in [{}, {"look": "1"}]:
        with isolated(step=step):
            asked = f"?date=2026-11-25&from=/schedule/2026-11-24/%3Fdoctor={okafor.pk}%26layout=list"
            response = at_desk.get(BOOK + asked)
            if step:
                form = response.context["form"]
                sent = {name: form[name].value() for name in ("date", "next", "booking_key")}
                response = at_desk.post(BOOK, sent | step)

            assert response.context["back_url"] == f"/schedule/2026-11-25/?doctor={okafor.pk}&layout=list"


def test_hostile_origin_returns_to_the_day_view(at_desk, isolated):
    for address in HOSTILE:
        with isolated(address=address):
            response = at_desk.get(BOOK, {"date": "2026-11-25", "from": address})

            assert response.context["back_url"].startswith("/schedule/2026-11-25/")


# From a week and back

WEEK = "/doctors/{pk}/week/2026-12-01/?"


def test_link_from_a_week_returns_to_the_week_of_the_appointment(appointment, okafor):
    other = DoctorFactory()

    for doctor in (okafor, other):
        came = WEEK.format(pk=doctor.pk)
        assert (
            appointment_url(appointment, origin_url=came) == f"/doctors/{okafor.pk}/week/2026-11-25/#v{appointment.pk}"
        )


def test_link_from_a_week_picks_a_new_time_in_the_day_view(appointment, okafor):
    came = WEEK.format(pk=okafor.pk)

    assert (
        appointment_url(appointment, origin_url=came, move=True)
        == f"/schedule/2026-11-25/?move={appointment.pk}#v{appointment.pk}"
    )


def test_link_from_a_week_returns_without_booking(okafor):
    came = WEEK.format(pk=okafor.pk)

    assert day_url(at(10).date(), origin_url=came) == f"/doctors/{okafor.pk}/week/2026-11-25/"


def test_appointment_booked_from_a_week_is_shown_in_it(at_desk, okafor, form_data):
    response = at_desk.post(BOOK, form_data | {"next": WEEK.format(pk=okafor.pk)})

    assert response["Location"].startswith(f"/doctors/{okafor.pk}/week/2026-11-25/#v")
