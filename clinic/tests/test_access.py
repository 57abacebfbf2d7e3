"""Access of every role to every URL and method, compared with a second table."""

import datetime as dt
import re
from types import SimpleNamespace

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import transaction
from django.urls import URLPattern, get_resolver, resolve

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import ROLES, sync_roles
from clinic.models import AuditEntry, User
from clinic.tests.crawl import (
    ADMINISTRATOR,
    ALL_ROLES,
    DOCTOR,
    MANAGER,
    RECEPTIONIST,
    TABLE,
    make_world,
    walk,
)
from clinic.tests.crawl_checks import CHECKS, FOREIGN_TO_A_DOCTOR, SEEN, words_in
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, Cases, at
from clinic.web import page_access
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TODAY_AT_8 = at(8)

# The library derives its URLs from this one; `api_root` redirects to the documentation.
SHADOWED = {"api:api-root"}


def addresses(resolver, namespaces=(), route=""):
    """Yield the name of every URL, or the route of one without a name."""
    for pattern in resolver.url_patterns:
        here = route + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLPattern):
            yield ":".join([*namespaces, pattern.name]) if pattern.name else here
        else:
            yield from addresses(pattern, (*namespaces, *filter(None, [pattern.namespace])), here)


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """A signed-in user of each role, and records for the table: created once, as every crawl rolls back."""
    with django_db_blocker.unblock(), transaction.atomic():
        with time_machine.travel(NOW, tick=False):
            world = make_world()
        yield world
        transaction.set_rollback(True)


@pytest.fixture
def production(settings):
    """The portal behind HTTPS, as `make serve` serves it."""
    settings.USE_HTTPS = settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = (
        True
    )


def diary_of(user):
    """The doctor's diary: one booked appointment, and one of the same patient with status arrived."""
    doctor = DoctorFactory(full_name="Dr Own", user=user)
    appointment = AppointmentFactory(doctor=doctor)
    arrived = AppointmentFactory(
        doctor=doctor, start_time=TODAY_AT_8, status="arrived", arrived_at=TODAY_AT_8, patient=appointment.patient
    )
    return SimpleNamespace(doctor=doctor, appointment=appointment, arrived=arrived, patient=appointment.patient)


@pytest.fixture
def own(doctor_user):
    """An appointment in the doctor's own diary."""
    return diary_of(doctor_user)


@pytest.fixture
def other():
    """An appointment of another doctor, with a patient unknown to the first."""
    return AppointmentFactory(doctor=DoctorFactory(full_name="Dr Other"))


def state():
    """All data that a page could change."""
    return (
        list(Appointment.objects.order_by("pk").values()),
        list(Patient.objects.order_by("pk").values()),
        list(User.objects.order_by("pk").values("pk", "password", "is_active")),
        AuditEntry.objects.writes().count(),
    )


# The crawl


@pytest.mark.no_cover  # other tests reach all this code, and tracing would take a minute
@pytest.mark.parametrize("role", ALL_ROLES)
def test_crawl_finds_no_unexpected_response(world, production, role):
    wrong, words = [], set()

    for call in walk(world, role):
        wrong += [f"{call}: {check.__name__}: {problem}" for check in CHECKS if (problem := check(call))]
        words |= words_in(call) if call.method == "GET" else set()

    assert not wrong, "\n".join(wrong)
    assert words == SEEN[role]


def test_table_lists_exactly_the_existing_urls():
    named = set(addresses(get_resolver())) - SHADOWED

    assert sorted(named) == sorted(TABLE)


def test_portals_table_lists_the_same_methods():
    admin = {name for name in TABLE if name.startswith(("admin:", "admin/"))}  # a single page of the portal
    named = {name: set(row) for name, (address, row) in TABLE.items() if name not in admin}
    head = {name: {"HEAD"} & row for name, row in named.items() if not TABLE[name][0].startswith("/api/")}

    assert {name: set(methods) | head.get(name, set()) for name, methods in page_access.PAGES.items()} == named


def test_urls_of_the_table_have_the_given_names():
    wrong = {}
    for name, (address, _row) in TABLE.items():
        match = resolve(re.sub(r"{\w+}", "7", address.partition("?")[0]))
        if name not in (match.view_name, match.route.replace("^", "")):
            wrong[name] = match.view_name or match.route

    assert wrong == {}


def test_table_of_foreign_records_lists_pages_open_to_doctors():
    closed = {name for name in FOREIGN_TO_A_DOCTOR if not any(DOCTOR in roles for roles in TABLE[name][1].values())}

    assert closed == set()


def test_unsupported_method_changes_nothing(client, own, administrator):
    with Cases(client=client) as case:
        for method in ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"]:
            with case(method):
                client.force_login(administrator)
                before = state()

                verbs = ("arrive", "no-show", "start", "complete", "attended", "undo", "move", "cancel")
                addresses = [
                    *(f"/appointments/{own.appointment.pk}/{verb}/" for verb in verbs),
                    *("/appointments/book/", "/patients/new/", f"/patients/{own.patient.pk}/edit/"),
                    f"/admin/appointments/appointment/{own.appointment.pk}/delete/",
                ]
                statuses = {client.generic(method, address).status_code for address in addresses}

                assert state() == before
                assert method == "HEAD" or statuses == {405}


def test_action_by_get_changes_nothing(client, own, administrator):
    with Cases(client=client) as case:
        for action in ["arrive", "no-show", "start", "complete", "attended", "undo"]:
            with case(action):
                client.force_login(administrator)
                before = state()

                response = client.get(f"/appointments/{own.arrived.pk}/{action}/")

                assert response.status_code == 405
                assert sorted(response["Allow"].split(", ")) == ["POST"]
                assert state() == before


def test_anonymous_action_changes_nothing(client, own):
    with Cases(client=client) as case:
        for action in ["arrive", "no-show", "start", "complete", "attended", "undo"]:
            with case(action):
                before = state()

                response = client.post(f"/appointments/{own.arrived.pk}/{action}/")

                assert response["Location"] == "/accounts/login/?next=/"
                assert state() == before


# Own and other users' sessions


def test_doctor_acts_on_an_appointment_in_their_own_diary(client, doctor_user):
    table = [
        ("arrive", "booked", "arrived"),
        ("no-show", "booked", "no_show"),
        ("start", "arrived", "in_consultation"),
        ("complete", "in_consultation", "completed"),
        ("attended", "booked", "completed"),
        ("undo", "arrived", "booked"),
        ("undo", "in_consultation", "arrived"),
        ("undo", "completed", "in_consultation"),
        ("undo", "no_show", "booked"),
    ]
    with Cases(client=client) as case:
        for action, status, becomes in table:
            with case(action, status, becomes):
                doctor = DoctorFactory(user=doctor_user)
                completed_at = TODAY_AT_8 if status == "completed" else None
                appointment = AppointmentFactory(
                    doctor=doctor, start_time=TODAY_AT_8, status=status, completed_at=completed_at
                )
                client.force_login(doctor_user)

                response = client.post(f"/appointments/{appointment.pk}/{action}/", {"version": appointment.version})

                assert response.status_code == 302
                appointment.refresh_from_db()
                assert appointment.status == becomes


def test_doctor_cannot_act_on_an_appointment_in_another_diary(client, own, doctor_user):
    with Cases(client=client) as case:
        for action in ["arrive", "no-show", "start", "complete", "attended", "undo"]:
            for status in ["booked", "arrived", "in_consultation"]:
                with case(action, status):
                    theirs = AppointmentFactory(doctor=DoctorFactory(), start_time=TODAY_AT_8, status=status)
                    client.force_login(doctor_user)
                    before = state()

                    response = client.post(f"/appointments/{theirs.pk}/{action}/")

                    assert response.status_code == 403
                    assert state() == before


def test_doctor_cannot_open_an_appointment_in_another_diary(client, own, other, doctor_user):
    client.force_login(doctor_user)

    response = client.get(f"/appointments/{other.pk}/")

    assert response.status_code == 403
    assert other.patient.last_name not in response.content.decode()


def test_doctor_without_a_login_owns_nothing(client, own, doctor_user):
    own.doctor.user = None
    own.doctor.save()
    client.force_login(doctor_user)

    response = client.get(f"/appointments/{own.appointment.pk}/")

    assert response.status_code == 403


def test_doctor_cannot_open_records_of_other_doctors_patients(client, own, other, doctor_user):
    client.force_login(doctor_user)

    response = client.get(f"/patients/{other.patient.pk}/")

    assert response.status_code == 404
    assert other.patient.last_name not in response.content.decode()


def test_doctor_sees_shared_patient_without_appointments_of_others(client, own, other, doctor_user):
    AppointmentFactory(
        doctor=other.doctor,
        patient=own.patient,
        start_time=dt.datetime(2026, 11, 25, 10, 0, tzinfo=dt.UTC),
        reason="Elsewhere",
    )
    client.force_login(doctor_user)

    response = client.get(f"/patients/{own.patient.pk}/")

    assert response.status_code == 200
    assert list(response.context["coming"]) == [own.appointment]
    assert "Elsewhere" not in response.content.decode()


@pytest.mark.parametrize("status", ["in_consultation", "completed"])
def test_receptionist_cannot_undo_a_doctors_status(at_desk, status):
    completed_at = TODAY_AT_8 if status == "completed" else None
    appointment = AppointmentFactory(start_time=TODAY_AT_8, status=status, completed_at=completed_at)
    before = state()

    response = at_desk.post(f"/appointments/{appointment.pk}/undo/")

    assert response.status_code == 403
    assert state() == before


def test_setting_a_status_does_not_serve_as_undo(client, administrator):
    with Cases(client=client) as case:
        for action, status in [("arrive", "in_consultation"), ("arrive", "completed"), ("start", "completed")]:
            with case(action, status):
                appointment = AppointmentFactory(
                    start_time=TODAY_AT_8, status=status, arrived_at=TODAY_AT_8, started_at=TODAY_AT_8
                )
                client.force_login(administrator)
                before = state()

                client.post(f"/appointments/{appointment.pk}/{action}/")

                assert state() == before


def test_doctor_cannot_bring_a_cancelled_appointment_back(client, doctor_user):
    appointment = AppointmentFactory(
        doctor=DoctorFactory(user=doctor_user), status="cancelled", cancelled_by="patient", cancel_reason="Ill"
    )
    client.force_login(doctor_user)

    response = client.post(f"/appointments/{appointment.pk}/undo/")

    assert response.status_code == 403
    appointment.refresh_from_db()
    assert appointment.status == "cancelled"


# The table of the portal itself


def test_page_outside_the_table_is_closed_even_to_a_superuser(client, monkeypatch):
    client.force_login(UserFactory(is_superuser=True, is_staff=True))
    assert client.get("/doctors/").status_code == 200

    monkeypatch.delitem(page_access.PAGES, "doctors:doctor_list")

    assert client.get("/doctors/").status_code == 403
    assert client.post("/doctors/").status_code == 403


def test_page_outside_the_table_redirects_anonymous_users_to_login(client, monkeypatch):
    monkeypatch.delitem(page_access.PAGES, "livez")

    response = client.get("/livez")

    assert response["Location"] == "/accounts/login/?next=/livez"


def test_method_outside_the_table_is_closed_even_to_a_superuser(client, monkeypatch):
    client.force_login(UserFactory(is_superuser=True, is_staff=True))
    monkeypatch.delitem(page_access.PAGES["patients:patient_register"], "POST")

    response = client.post("/patients/new/", {"first_name": "Ana", "last_name": "Silva", "email": "ana@example.org"})

    assert response.status_code == 405
    assert not Patient.objects.filter(email="ana@example.org").exists()


def test_admin_is_closed_to_staff_without_the_role(client):
    client.force_login(UserFactory(is_staff=True))

    response = client.get("/admin/")

    assert response.status_code == 403


def test_deactivated_user_is_sent_to_the_login(client, receptionist):
    client.force_login(receptionist)
    receptionist.is_active = False
    receptionist.save()

    response = client.get("/patients/")

    assert response["Location"] == "/accounts/login/?next=/patients/"


# Groups


def permissions_of_role(role):
    return {
        f"{permission.content_type.app_label}.{permission.codename}"
        for permission in Group.objects.get(name=role).permissions.select_related("content_type")
    }


def test_group_has_the_permissions_of_its_role():
    with Cases() as case:
        for role in [RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR]:
            with case(role):
                assert permissions_of_role(role) == ROLES[role]


@pytest.mark.both_databases
def test_migrate_restores_a_permission_removed_from_a_group():
    group = Group.objects.get(name=RECEPTIONIST)
    group.permissions.remove(Permission.objects.get(codename="add_appointment"))

    call_command("migrate", verbosity=0)

    assert "appointments.add_appointment" in permissions_of_role(RECEPTIONIST)


@pytest.mark.both_databases
def test_migrate_removes_a_permission_added_to_a_group():
    group = Group.objects.get(name=MANAGER)
    group.permissions.add(Permission.objects.get(codename="view_patient"))

    call_command("migrate", verbosity=0)

    assert "patients.view_patient" not in permissions_of_role(MANAGER)


@pytest.mark.both_databases
def test_migrate_creates_a_missing_group():
    Group.objects.filter(name=DOCTOR).delete()

    call_command("migrate", verbosity=0)

    assert "appointments.treat_own_appointment" in permissions_of_role(DOCTOR)


def test_role_with_an_unknown_permission_is_refused(monkeypatch):
    monkeypatch.setitem(ROLES, MANAGER, {"appointments.fly_appointment"})

    with pytest.raises(LookupError, match="fly_appointment"):
        sync_roles()


@pytest.mark.both_databases
def test_permission_of_a_role_exists():
    with Cases() as case:
        for permission in sorted(set().union(*ROLES.values())):
            with case(permission):
                app, codename = permission.split(".")

                assert Permission.objects.filter(content_type__app_label=app, codename=codename).count() == 1


def test_every_permission_the_pages_ask_for_belongs_to_a_role():
    asked = {
        permission
        for methods in page_access.PAGES.values()
        for permissions in methods.values()
        for permission in permissions
    }

    assert asked - {"public", "signed in"} <= set().union(*ROLES.values())


def test_patient_without_appointments_belongs_to_no_doctor(client, own, doctor_user):
    stranger = PatientFactory()
    client.force_login(doctor_user)

    response = client.get(f"/patients/{stranger.pk}/")

    assert response.status_code == 404


def test_public_method_does_not_open_other_methods_of_a_page(client, receptionist, monkeypatch):
    monkeypatch.setitem(
        page_access.PAGES, "patients:patient_search", {"GET": page_access.PUBLIC, "POST": ("nobody.has_this",)}
    )

    strangers = client.post("/patients/", {"query": "x"})
    client.force_login(receptionist)

    assert strangers["Location"].startswith("/accounts/login/")
    assert client.post("/patients/", {"query": "x"}).status_code == 403
