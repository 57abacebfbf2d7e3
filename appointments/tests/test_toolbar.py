"""The toolbar of the day: doctors, chips, density, what is still to be done, and the view that is remembered."""

from types import SimpleNamespace

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from appointments.navigation import appointment_url
from appointments.schedule import remembered
from appointments.schedule.toolbar import worklists_link
from appointments.tests.factories import AppointmentFactory
from clinic.audit.wording import records_in_details
from clinic.models import AuditEntry
from clinic.tests.factories import UserFactory
from clinic.tests.kit import at, elements
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TODAY = "/schedule/2026-11-24/"
CANCELLED = {"status": "cancelled", "cancelled_by": "patient", "cancel_reason": "Ill"}


@pytest.fixture
def doctors():
    """Three doctors, in the order of their names."""
    return [
        DoctorFactory(full_name="Dr Adler", specialization="Cardiology"),
        DoctorFactory(full_name="Dr Brito", specialization="Cardiology"),
        DoctorFactory(full_name="Dr Costa", specialization="Dermatology"),
    ]


def ids_of(doctors):
    return ",".join(str(doctor.pk) for doctor in doctors)


def shown_doctors(response):
    return [column.doctor.full_name for column in response.context["day"].columns]


def found(response, **asked):
    """Return the attributes of the elements with these, each given with `_` for `-`."""
    wanted = {name.rstrip("_").replace("_", "-"): value for name, value in asked.items()}
    return [attrs for _tag, attrs in elements(response) if wanted.items() <= attrs.items()]


def chips(response):
    """Return the chips' addresses by their names, and the name of the current one."""
    ids = {attrs.get("id", ""): attrs for _tag, attrs in elements(response)}
    each = {name.removeprefix("only-"): attrs for name, attrs in ids.items() if name.startswith("only-")}
    chosen = [name for name, attrs in each.items() if "aria-current" in attrs]
    return {name: attrs["href"] for name, attrs in each.items() if "href" in attrs}, chosen


def choose(client, **view):
    """Choose in the toolbar, as its links and its form do."""
    return client.get("/schedule/", {"date": "2026-11-24", **view}, follow=True)


# Doctors


def test_several_doctors_are_shown(at_desk, doctors, isolated):
    adler, _brito, costa = doctors
    for query in (f"?doctor={adler.pk},{costa.pk}", f"?doctor={adler.pk}&doctor={costa.pk}"):
        with isolated(query=query):
            response = at_desk.get(TODAY + query)

            assert shown_doctors(response) == ["Dr Adler", "Dr Costa"]
            assert response.context["doctors_label"] == "2 of 3 doctors"
            assert [attrs["value"] for attrs in found(response, name="doctor", checked=None)] == [
                str(adler.pk),
                str(costa.pk),
            ]
            assert found(response, href=f"/schedule/2026-11-25/?doctor={adler.pk},{costa.pk}")


def test_unknown_doctors_among_several_are_left_out(at_desk, doctors, isolated):
    adler = doctors[0]
    for ids in (f"{adler.pk},999", f"x,{adler.pk}", f"{adler.pk},{adler.pk},"):
        with isolated(ids=ids):
            assert at_desk.get(f"{TODAY}?doctor={ids}").context["filters"] == {"doctor": str(adler.pk)}
    assert at_desk.get(f"{TODAY}?doctor=998,999").status_code == 404


def test_ticked_doctors_become_one_address(at_desk, doctors):
    adler, brito, _costa = doctors

    response = choose(at_desk, doctor=[adler.pk, brito.pk], layout="list", remember="doctors")

    assert response.redirect_chain == [(f"{TODAY}?doctor={adler.pk},{brito.pk}&layout=list", 302)]
    assert shown_doctors(response) == ["Dr Adler", "Dr Brito"]


def test_specialization_wins_over_ticked_doctors(at_desk, doctors):
    response = choose(at_desk, doctor=doctors[2].pk, specialization="Cardiology", remember="doctors")

    assert shown_doctors(response) == ["Dr Adler", "Dr Brito"]
    assert response.context["doctors_label"] == "Cardiology"


def test_doctors_are_grouped_by_specialization(at_desk, doctors):
    groups = [attrs["value"] for attrs in found(at_desk.get(TODAY), name="specialization")]

    assert groups == ["Cardiology", "Dermatology"]


def test_refresh_is_about_the_doctors_that_are_shown(at_desk, doctors):
    adler, brito, costa = doctors
    url = f"{TODAY}?doctor={adler.pk},{brito.pk}"
    (day,) = found(at_desk.get(url), id="day")
    shown = {"X-Background": "1", "If-None-Match": day["data-etag"]}
    assert at_desk.get(f"{TODAY}?doctor={adler.pk},{costa.pk}", headers=shown).status_code == 200

    AppointmentFactory(doctor=costa)
    assert at_desk.get(url, headers=shown).status_code == 304
    AppointmentFactory(doctor=brito)
    assert at_desk.get(url, headers=shown).status_code == 200


def test_print_of_several_doctors_is_recorded_with_them(at_desk, doctors):
    at_desk.get(f"{TODAY}print/?doctor={ids_of(doctors[:2])}")

    details = AuditEntry.objects.exclude(additional_data=None).latest("pk").additional_data
    assert details["doctor"] == [doctor.pk for doctor in doctors[:2]]
    assert list(records_in_details({"doctor": details["doctor"]})) == [(Doctor, doctor.pk) for doctor in doctors[:2]]


def test_link_to_an_appointment_drops_filters_that_hide_it(doctors, isolated):
    appointment = AppointmentFactory(doctor=doctors[0], start_time=at(10))
    cases = {
        f"?doctor={ids_of(doctors)}": f"?doctor={ids_of(doctors)}",
        f"?doctor={ids_of(doctors[1:])}": "",
        "?status=booked": "?status=booked",
        "?status=arrived": "",
        "?density=compact": "?density=compact",
    }
    for query, kept in cases.items():
        with isolated(query=query):
            assert appointment_url(appointment, origin_url=TODAY + query) == f"{TODAY}{kept}#v{appointment.pk}"


# Chips


def test_chips_count_and_filter(at_desk, doctors):
    AppointmentFactory(doctor=doctors[0], start_time=at(10))
    AppointmentFactory(doctor=doctors[1], start_time=at(10), **CANCELLED)

    response = at_desk.get(f"{TODAY}?doctor={ids_of(doctors)}")

    links, chosen = chips(response)
    query = f"?doctor={ids_of(doctors)}"
    assert links == {
        "all": f"{TODAY}{query}",
        "booked": f"{TODAY}{query}&status=booked",
        "cancelled": f"{TODAY}{query}&status=cancelled",
    }
    assert chosen == ["all"]
    assert "<b>2</b> all" in response.content.decode()


def test_chosen_status_marks_the_grid_and_keeps_all_appointments(at_desk, doctors):
    booked, arrived = (AppointmentFactory(doctor=doctors[0], start_time=at(hour)) for hour in (10, 11))

    response = at_desk.get(f"{TODAY}?status=arrived")

    (grid,) = found(response, id="day-grid")
    assert grid["data-only"] == "arrived"
    assert all(found(response, id=f"v{each.pk}") for each in (booked, arrived))
    assert chips(response)[1] == ["arrived"]  # although there is none
    assert "<b>0</b> arrived" in response.content.decode()
    assert found(response, href="/schedule/2026-11-25/?status=arrived")


def test_chosen_status_filters_the_list(at_desk, doctors):
    booked = AppointmentFactory(doctor=doctors[0], start_time=at(10))
    cancelled = AppointmentFactory(doctor=doctors[1], start_time=at(10), **CANCELLED)

    response = at_desk.get(f"{TODAY}?layout=list&status=cancelled")

    assert found(response, id=f"v{cancelled.pk}")
    assert not found(response, id=f"v{booked.pk}")
    assert chips(response)[1] == ["cancelled"]


def test_all_in_the_list_shows_all_tabs(at_desk, doctors):
    AppointmentFactory(doctor=doctors[0], start_time=at(10), **CANCELLED)

    links, chosen = chips(at_desk.get(f"{TODAY}?layout=list&tab=done"))
    assert chosen == []
    assert chips(at_desk.get(links["all"]))[1] == ["all"]


def test_refresh_keeps_the_chosen_chip(at_desk, doctors):
    url = f"{TODAY}?status=booked"
    page = at_desk.get(url)
    grid = found(page, id="day-grid")[0]["data-shown"]
    columns = [
        f"{attrs['id'].removeprefix('doctor-')}:{attrs['data-version']}" for attrs in found(page, class_="column")
    ]
    shown = {"X-Background": "1", "If-None-Match": found(page, id="day")[0]["data-etag"]}
    AppointmentFactory(doctor=doctors[0], start_time=at(10))

    response = at_desk.get(url, headers=shown | {"X-Shown-Columns": ",".join([grid, *columns])})

    assert not found(response, id="day")
    links, chosen = chips(response)
    assert (links["all"], chosen) == (TODAY, ["booked"])


def test_week_has_the_same_chips(at_desk, doctors):
    AppointmentFactory(doctor=doctors[0], start_time=at(10))
    week = f"/doctors/{doctors[0].pk}/week/2026-11-24/"

    response = at_desk.get(f"{week}?status=booked")

    links, chosen = chips(response)
    assert (links, chosen) == ({"all": week, "booked": f"{week}?status=booked"}, ["booked"])
    assert found(response, id="day-grid", data_only="booked")
    assert found(response, id="day", data_url=f"{week}?status=booked")


# The remembered view


def test_own_doctors_are_remembered(at_desk, doctors, isolated):
    choose(at_desk, doctor=[doctors[0].pk, doctors[2].pk], remember="doctors")

    for address in ("/", "/schedule/"):
        with isolated(address=address):
            assert shown_doctors(at_desk.get(address)) == ["Dr Adler", "Dr Costa"]


def test_address_with_filters_wins_over_the_remembered_view(at_desk, doctors, isolated):
    choose(at_desk, doctor=doctors[0].pk, remember="doctors")
    cases = {
        f"/schedule/?doctor={doctors[1].pk}": ["Dr Brito"],
        "/schedule/?specialization=Dermatology": ["Dr Costa"],
        "/?layout=list": ["Dr Adler", "Dr Brito", "Dr Costa"],
        TODAY: ["Dr Adler", "Dr Brito", "Dr Costa"],
    }

    for address, names in cases.items():
        with isolated(address=address):
            assert shown_doctors(at_desk.get(address)) == names


def test_all_doctors_clears_the_filter_and_keeps_my_doctors(at_desk, doctors):
    choose(at_desk, doctor=[doctors[0].pk, doctors[1].pk], remember="doctors")

    response = choose(at_desk, remember="doctors")

    assert len(shown_doctors(response)) == len(shown_doctors(at_desk.get("/"))) == 3
    own = f"/schedule/?date=2026-11-24&doctor={ids_of(doctors[:2])}&remember=doctors"
    assert found(response, href=own)
    assert shown_doctors(at_desk.get(own, follow=True)) == ["Dr Adler", "Dr Brito"]


def test_specialization_is_remembered_instead_of_doctors(at_desk, doctors):
    choose(at_desk, doctor=doctors[2].pk, remember="doctors")
    choose(at_desk, specialization="Cardiology", remember="doctors")

    assert shown_doctors(at_desk.get("/")) == ["Dr Adler", "Dr Brito"]


def test_layout_and_density_are_remembered_until_changed(at_desk, doctors):
    choose(at_desk, layout="list", remember="layout")
    assert found(at_desk.get("/"), id="day-list")
    choose(at_desk, remember="layout")
    choose(at_desk, density="compact", remember="density")

    for address in ("/", TODAY, f"/doctors/{doctors[0].pk}/week/2026-11-24/"):
        (grid,) = found(at_desk.get(address), id="day-grid")
        assert "is-compact" in grid["class"].split()
    choose(at_desk, remember="density")
    assert found(at_desk.get("/"), id="day-grid", class_="day-grid")


def test_density_in_the_address_wins(at_desk, doctors):
    assert "is-compact" in found(at_desk.get(f"{TODAY}?density=compact"), id="day-grid")[0]["class"]
    choose(at_desk, density="compact", remember="density")

    assert "is-compact" not in found(at_desk.get(f"{TODAY}?density=comfortable"), id="day-grid")[0]["class"]


def test_going_to_a_date_or_following_a_link_remembers_nothing(at_desk, doctors):
    choose(at_desk, doctor=doctors[0].pk, layout="list")
    at_desk.get(f"{TODAY}?doctor={doctors[0].pk}")
    choose(at_desk, doctor=doctors[0].pk, remember="something")

    assert "view" not in at_desk.cookies


def test_users_of_one_browser_have_their_own_views(at_desk, doctors, receptionist):
    choose(at_desk, doctor=doctors[0].pk, remember="doctors")
    at_desk.force_login(UserFactory(username="second", role=receptionist.role))
    assert len(shown_doctors(at_desk.get("/"))) == 3
    choose(at_desk, doctor=doctors[1].pk, remember="doctors")

    at_desk.force_login(receptionist)

    assert shown_doctors(at_desk.get("/")) == ["Dr Adler"]


def test_doctor_who_no_longer_exists_is_forgotten(at_desk, doctors):
    choose(at_desk, doctor=[doctors[0].pk, doctors[2].pk], remember="doctors")

    Doctor.objects.filter(pk=doctors[0].pk).delete()
    assert shown_doctors(at_desk.get("/")) == ["Dr Costa"]
    Doctor.objects.filter(pk=doctors[2].pk).delete()
    assert shown_doctors(at_desk.get("/")) == ["Dr Brito"]


def test_remembered_doctors_cost_one_query_more(at_desk, doctors):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            at_desk.get("/")
        return len(captured)

    all_doctors = queries()
    choose(at_desk, doctor=doctors[0].pk, remember="doctors")

    assert queries() == all_doctors + 1


def test_cookie_is_for_this_host_and_no_script_and_has_ids_only(client, receptionist, doctors, settings):
    settings.VIEW_COOKIE_NAME, settings.SESSION_COOKIE_SECURE = "__Host-view", True
    client.force_login(receptionist)

    client.get("/schedule/", {"date": "2026-11-24", "doctor": doctors[0].pk, "remember": "doctors"}, secure=True)

    cookie = client.cookies["__Host-view"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    view = signing.loads(cookie.value, salt="appointments.remembered_view")
    assert view == {str(receptionist.pk): f"doctor={doctors[0].pk}&own={doctors[0].pk}"}


def test_cookie_that_is_not_the_portals_is_ignored(receptionist, doctors, isolated):
    for text in ("", "x", signing.dumps({str(receptionist.pk): "doctor=1"}, salt="another")):
        with isolated(text=text):
            client = Client()
            client.force_login(receptionist)
            client.cookies["view"] = text

            assert len(shown_doctors(client.get("/"))) == 3


def test_cookie_stays_small_and_keeps_the_latest_users(receptionist):
    filters = {"doctor": ",".join(map(str, range(1000, 1200)))}
    cookies = {}

    for pk in range(40):
        request = SimpleNamespace(user=SimpleNamespace(pk=pk), COOKIES=cookies)
        response = SimpleNamespace(set_cookie=lambda name, value, **_options: cookies.update({name: value}))
        remembered.remember_choice(request, response, "doctors", filters)

    assert len(cookies["view"]) <= remembered.MAX_LENGTH
    assert remembered.remembered_view(request)["doctor"] == filters["doctor"]


# What is still to be done


def test_toolbar_links_to_what_has_no_outcome(at_desk, doctors):
    AppointmentFactory(doctor=doctors[0], start_time=at(8))

    response = at_desk.get(TODAY)

    assert found(response, class_="to-do", href="/appointments/close-out/")
    assert "1 without outcome" in response.content.decode()


def test_worklists_are_one_link(isolated):
    def change(to_rebook, to_inform):
        return SimpleNamespace(
            cause="Leave", to_rebook=to_rebook, to_inform=to_inform, get_absolute_url=lambda: "/appointments/impacts/7/"
        )

    cases = [
        ([change(2, 3)], ("/appointments/impacts/7/", "2 to rebook", "Leave: 2 to move or cancel, 3 to inform")),
        ([change(0, 3)], ("/appointments/impacts/7/", "3 to inform", "Leave: 0 to move or cancel, 3 to inform")),
        ([change(2, 0), change(1, 1)], ("/appointments/impacts/", "3 to rebook", None)),
    ]
    for changes, (url, words, title) in cases:
        with isolated(words=words):
            link = worklists_link(changes)
            assert (link.url, link.words) == (url, words)
            assert title in (None, link.title)
    assert worklists_link([]) is None


def test_second_skip_link_leads_to_the_schedule(at_desk, doctors):
    for url in (TODAY, f"/doctors/{doctors[0].pk}/week/2026-11-24/"):
        assert [attrs["href"] for attrs in found(at_desk.get(url), class_="skip")] == ["#main", "#day"]
