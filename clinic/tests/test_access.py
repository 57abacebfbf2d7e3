"""Every address, every role, every method: who is served what, written down a second time and compared."""

import datetime as dt
import re
from types import SimpleNamespace

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, resolve

from appointments.displaced.finder import open_schedule_change
from appointments.models import Appointment, CalendarFeed, EmergencyGrant
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import ROLES, sync_roles
from clinic.models import ApiToken, AuditEntry, Session, User
from clinic.tests.api_client import token_of
from clinic.tests.factories import UserFactory
from clinic.web import page_access
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

NOW = dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)
TODAY_AT_8 = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)

# The table. From design.md, "Roles"; nothing here is read from clinic.access or clinic.roles.

ANONYMOUS, NO_ROLE = "anonymous", "no role"
RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR = "Receptionist", "Manager", "Doctor", "Administrator"
ALL_ROLES = (ANONYMOUS, NO_ROLE, RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR)
# The unsafe ones that are meant come last: they may change what the others look at.
METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "POST")

NOBODY = set()
EVERYBODY = set(ALL_ROLES)
SIGNED_IN = EVERYBODY - {ANONYMOUS}
STAFF = {RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR}
DESK = {RECEPTIONIST, ADMINISTRATOR}
ADMIN = {ADMINISTRATOR}


def page(address, *, get=None, post=None):
    """An address and, for each method it is meant to be called by, the roles that may."""
    meant = {"GET": get, "HEAD": get, "POST": post}
    return address, {method: roles for method, roles in meant.items() if roles is not None}


def call(address, **meant):
    """An address of the API and the roles of the users whose tokens may call it, by method; HEAD is none."""
    return address, {method.upper(): roles for method, roles in meant.items()}


def admin_pages(model, pk, *, writers=ADMIN, changers=ADMIN, removers=ADMIN):
    """The admin pages of a model; `writers` may add, `removers` delete, `changers` save."""
    app, name = model.split("_")
    base = f"/admin/{app}/{name}/"
    return {
        f"admin:{model}_changelist": page(base, get=ADMIN, post=ADMIN),
        f"admin:{model}_add": page(f"{base}add/", get=writers, post=writers),
        f"admin:{model}_history": page(f"{base}{pk}/history/", get=ADMIN, post=ADMIN),
        f"admin:{model}_delete": page(f"{base}{pk}/delete/", get=removers, post=removers),
        f"admin:{model}_change": page(f"{base}{pk}/change/", get=ADMIN, post=changers),
        f"admin/{app}/{name}/<path:object_id>/": page(f"{base}{pk}/", get=ADMIN, post=ADMIN),
    }


# The appointment, its patient and its doctor are the doctor's own; of somebody else's, see further down.
TABLE = {
    "livez": page("/livez", get=EVERYBODY),
    "readyz": page("/readyz", get=EVERYBODY),
    "login": page("/accounts/login/", get=EVERYBODY, post=EVERYBODY),
    "login_code": page("/accounts/login/code/", get=EVERYBODY, post=EVERYBODY),
    "logout": page("/accounts/logout/", post=SIGNED_IN),
    "account": page("/accounts/", get=SIGNED_IN),
    "confirm": page("/accounts/confirm/", get=SIGNED_IN, post=SIGNED_IN),
    "second_factor": page("/accounts/second-factor/", get=SIGNED_IN, post=SIGNED_IN),
    "session_list": page("/accounts/sessions/", get=SIGNED_IN),
    "session_end": page("/accounts/sessions/{session}/end/", post=SIGNED_IN),
    "session_end_others": page("/accounts/sessions/end-others/", post=SIGNED_IN),
    "session_left": page("/accounts/sessions/left/", get=SIGNED_IN),
    "session_stay": page("/accounts/stay/", post=SIGNED_IN),
    "form_keep": page("/accounts/kept-form/", post=SIGNED_IN),
    "password_change": page("/accounts/password_change/", get=SIGNED_IN, post=SIGNED_IN),
    "password_change_done": page("/accounts/password_change/done/", get=SIGNED_IN),
    "audit_trail": page("/audit/", get=ADMIN, post=ADMIN),
    "appointments:schedule_today": page("/", get=STAFF),
    "appointments:schedule_now": page("/schedule/", get=STAFF),
    "appointments:schedule_day": page("/schedule/2026-11-24/", get=STAFF),
    "appointments:schedule_print": page("/schedule/2026-11-24/print/", get=STAFF),
    "appointments:schedule_print_next": page("/schedule/next/print/", get=STAFF),
    "appointments:schedule_pack": page("/schedule/pack/", get=STAFF),
    "appointments:schedule_version": page("/schedule/2026-11-24/version/", get=SIGNED_IN),
    "appointments:doctor_week_now": page("/doctors/{doctor}/week/", get=STAFF),
    "appointments:doctor_week": page("/doctors/{doctor}/week/2026-11-24/", get=STAFF),
    "appointments:calendar_feed_edit": page(
        "/doctors/{doctor}/calendar/", get={ADMINISTRATOR, DOCTOR}, post={ADMINISTRATOR, DOCTOR}
    ),
    "appointments:calendar_feed": page("/calendar/{feed_token}.ics", get=EVERYBODY),
    "appointments:free_times": page("/appointments/free/", get=STAFF),
    "appointments:appointment_book": page("/appointments/book/", get=DESK, post=DESK),
    "appointments:appointment_export": page("/appointments/export/", get={MANAGER, ADMINISTRATOR}),
    "appointments:close_out": page("/appointments/close-out/", get={*DESK, DOCTOR}),
    "appointments:impact_list": page("/appointments/impacts/", get=DESK),
    "appointments:impact_detail": page("/appointments/impacts/{impact}/", get=DESK, post=DESK),
    "appointments:impact_print": page("/appointments/impacts/{impact}/print/", get=DESK),
    "appointments:leave_add": page("/doctors/{doctor}/leave/", get=ADMIN, post=ADMIN),
    "appointments:leave_edit": page("/doctors/leave/{leave}/", get=ADMIN, post=ADMIN),
    "appointments:hours_add": page("/doctors/{doctor}/hours/", get=ADMIN, post=ADMIN),
    "appointments:hours_edit": page("/doctors/hours/{timetable}/", get=ADMIN, post=ADMIN),
    "appointments:closure_list": page("/doctors/closures/", get=STAFF),
    "appointments:closure_add": page("/doctors/closures/new/", get=ADMIN, post=ADMIN),
    "appointments:closure_holidays": page("/doctors/closures/holidays/", get=ADMIN, post=ADMIN),
    "appointments:closure_edit": page("/doctors/closures/{closure}/", get=ADMIN, post=ADMIN),
    "appointments:appointment_detail": page("/appointments/{appointment}/", get={*DESK, DOCTOR}),
    "appointments:appointment_calendar": page("/appointments/{appointment}/calendar.ics", get={*DESK, DOCTOR}),
    "appointments:appointment_move": page("/appointments/{appointment}/move/", get=DESK, post=DESK),
    "appointments:appointment_cancel": page("/appointments/{appointment}/cancel/", get=DESK, post=DESK),
    "appointments:appointment_arrive": page("/appointments/{appointment}/arrive/", post={*DESK, DOCTOR}),
    "appointments:appointment_no_show": page("/appointments/{appointment}/no-show/", post={*DESK, DOCTOR}),
    "appointments:appointment_start": page("/appointments/{appointment}/start/", post={ADMINISTRATOR, DOCTOR}),
    "appointments:appointment_complete": page("/appointments/{appointment}/complete/", post={ADMINISTRATOR, DOCTOR}),
    "appointments:appointment_attended": page("/appointments/{appointment}/attended/", post={*DESK, DOCTOR}),
    "appointments:appointment_undo": page("/appointments/{arrived}/undo/", post={*DESK, DOCTOR}),
    "patients:patient_search": page("/patients/", get=DESK, post=DESK),
    "patients:patient_register": page("/patients/new/", get=DESK, post=DESK),
    "patients:patient_detail": page("/patients/{patient}/", get={*DESK, DOCTOR}),
    "patients:patient_edit": page("/patients/{patient}/edit/", get=DESK, post=DESK),
    "patients:patient_import": page("/patients/import/", get=ADMIN, post=ADMIN),
    "patients:patient_import_preview": page("/patients/import/7/", get=ADMIN, post=ADMIN),
    "patients:patient_export": page("/patients/export/", get=ADMIN),
    "appointments:patient_data": page("/patients/{patient}/data/", get=ADMIN),
    "appointments:patient_anonymise": page("/patients/{patient}/anonymise/", get=ADMIN, post=ADMIN),
    "appointments:patient_retention": page("/patients/retention/", get=ADMIN),
    "doctors:doctor_list": page("/doctors/", get=STAFF),
    "doctors:doctor_detail": page("/doctors/{doctor}/", get=STAFF),
    "api_root": call("/api/", get=SIGNED_IN),
    "api:openapi-json": call("/api/openapi.json", get=SIGNED_IN),
    "api:openapi-view": call("/api/docs", get=SIGNED_IN),
    "api:patients": call("/api/patients", post=DESK),
    "api:patients_search": call("/api/patients/search", post=DESK),
    "api:patient": call("/api/patients/{patient}", get={*DESK, DOCTOR}, patch=DESK),
    "api:doctors": call("/api/doctors", get=STAFF, post=ADMIN),
    "api:doctor": call("/api/doctors/{doctor}", get=STAFF, patch=ADMIN),
    "api:doctor_free": call("/api/doctors/{doctor}/free", get=STAFF),
    "api:appointments": call("/api/appointments", get={*DESK, DOCTOR}, post=DESK),
    "api:appointment": call("/api/appointments/{appointment}", get={*DESK, DOCTOR}),
    "api:appointment_move": call("/api/appointments/{appointment}/move", post=DESK),
    "api:appointment_cancel": call("/api/appointments/{appointment}/cancel", post=DESK),
    "api:appointment_arrive": call("/api/appointments/{appointment}/arrive", post={*DESK, DOCTOR}),
    "api:appointment_no_show": call("/api/appointments/{appointment}/no-show", post={*DESK, DOCTOR}),
    "api:appointment_start": call("/api/appointments/{appointment}/start", post={ADMINISTRATOR, DOCTOR}),
    "api:appointment_complete": call("/api/appointments/{appointment}/complete", post={ADMINISTRATOR, DOCTOR}),
    "api_unknown": call("/api/nowhere/at/all", **dict.fromkeys(set(METHODS) - {"CONNECT", "BREW"}, EVERYBODY)),
    "fhir:metadata": call("/api/fhir/metadata", get=SIGNED_IN),
    "fhir:unknown": call("/api/fhir/Observation", get=SIGNED_IN),
    "fhir:patient_search": call("/api/fhir/Patient", get=DESK),
    "fhir:patient_search_form": call("/api/fhir/Patient/_search", post=DESK),
    "fhir:patient_read": call("/api/fhir/Patient/{patient}", get={*DESK, DOCTOR}),
    "fhir:practitioner_search": call("/api/fhir/Practitioner", get=STAFF),
    "fhir:practitioner_search_form": call("/api/fhir/Practitioner/_search", post=STAFF),
    "fhir:practitioner_read": call("/api/fhir/Practitioner/{doctor}", get=STAFF),
    "fhir:schedule_search": call("/api/fhir/Schedule", get=STAFF),
    "fhir:schedule_search_form": call("/api/fhir/Schedule/_search", post=STAFF),
    "fhir:schedule_read": call("/api/fhir/Schedule/{doctor}", get=STAFF),
    "fhir:slot_search": call("/api/fhir/Slot", get=STAFF),
    "fhir:slot_search_form": call("/api/fhir/Slot/_search", post=STAFF),
    "fhir:slot_read": call("/api/fhir/Slot/{doctor}-29925240-30", get=STAFF),
    "fhir:appointment_search": call("/api/fhir/Appointment", get={*DESK, DOCTOR}),
    "fhir:appointment_search_form": call("/api/fhir/Appointment/_search", post={*DESK, DOCTOR}),
    "fhir:appointment_read": call("/api/fhir/Appointment/{appointment}", get={*DESK, DOCTOR}),
    "doctors:doctor_import": page("/doctors/import/", get=ADMIN, post=ADMIN),
    "doctors:doctor_import_preview": page("/doctors/import/7/", get=ADMIN, post=ADMIN),
    "admin:index": page("/admin/", get=ADMIN, post=ADMIN),
    "admin:login": page("/admin/login/", get=ADMIN, post=ADMIN),
    "admin:logout": page("/admin/logout/", post=ADMIN),
    "admin:password_change": page("/admin/password_change/", get=ADMIN, post=ADMIN),
    "admin:password_change_done": page("/admin/password_change/done/", get=ADMIN),
    "admin:autocomplete": page(
        "/admin/autocomplete/?app_label=appointments&model_name=appointment&field_name=patient", get=ADMIN
    ),
    "admin:jsi18n": page("/admin/jsi18n/", get=ADMIN),
    "admin:view_on_site": page("/admin/r/{patient_type}/{patient}/", get=ADMIN, post=ADMIN),
    "admin:app_list": page("/admin/patients/", get=ADMIN, post=ADMIN),
    "admin/(?P<url>.*)$": page("/admin/nowhere/", get=ADMIN, post=ADMIN),
    **admin_pages("patients_patient", "{patient}"),
    **admin_pages("doctors_doctor", "{doctor}"),
    **admin_pages("doctors_timetable", "{timetable}", removers=NOBODY),
    **admin_pages("doctors_leave", "{leave}"),
    **admin_pages("doctors_closure", "{closure}"),
    **admin_pages("appointments_appointment", "{appointment}", removers=NOBODY),
    **admin_pages("appointments_emergencygrant", "{grant}", removers=NOBODY),
    **admin_pages("clinic_user", "{user}", removers=NOBODY),
    "admin:auth_user_password_change": page("/admin/clinic/user/{user}/password/", get=ADMIN, post=ADMIN),
    **admin_pages("clinic_apitoken", "{token}", removers=NOBODY),
    **admin_pages("clinic_auditentry", "{entry}", writers=NOBODY, changers=NOBODY, removers=NOBODY),
}


# The library reckons its addresses from this one; who calls it is led to the documentation by `api_root`.
SHADOWED = {"api:api-root"}


def addresses(resolver, namespaces=(), route=""):
    """Yield the name of every address, or the route of one without a name."""
    for pattern in resolver.url_patterns:
        here = route + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLPattern):
            yield ":".join([*namespaces, pattern.name]) if pattern.name else here
        else:
            yield from addresses(pattern, (*namespaces, *filter(None, [pattern.namespace])), here)


def expected(row, role, method):
    """Return what may happen: exactly one thing, but for outsiders by a method nobody should use.

    A page for everybody says to everybody which methods it knows.
    """
    if role in row.get(method, NOBODY):
        return {"served"}
    if EVERYBODY in row.values():
        return {"405"}
    if role == ANONYMOUS:
        return {"to the login"}
    if method in row:
        return {"403"}
    uses_the_page = any(role in roles for roles in row.values())
    return {"405"} if uses_the_page else {"403", "405"}


def outcome(response):
    if response.status_code == 401 and response["WWW-Authenticate"] == "Bearer":
        return "to the login"
    if response.status_code == 302 and response["Location"].startswith("/accounts/login/?next="):
        return "to the login"
    return str(response.status_code) if response.status_code in {403, 405} else "served"


@pytest.fixture(scope="module")
def walk(django_db_setup, django_db_blocker):
    """A signed-in person of each role and addresses for the table: made once, since hundreds of tests read them."""
    with django_db_blocker.unblock(), transaction.atomic():
        with time_machine.travel(NOW, tick=False):
            users = {role: UserFactory(role=None if role == NO_ROLE else role) for role in SIGNED_IN}
            sessions = {role: session_of(user) for role, user in users.items()}
            tokens = {role: token_of(user) for role, user in users.items()}
            own = diary_of(users[DOCTOR])
        ids = {
            "appointment": own.appointment.pk,
            "arrived": own.arrived.pk,
            "patient": own.patient.pk,
            "doctor": own.doctor.pk,
            "timetable": TimetableFactory(doctor=own.doctor, valid_until=dt.date(2020, 1, 1)).pk,
            "leave": LeaveFactory(doctor=own.doctor).pk,
            "closure": ClosureFactory().pk,
            "impact": open_schedule_change([own.appointment], cause="Leave", by=None).pk,
            "feed_token": CalendarFeed.make(own.doctor, by=None),
            "user": users[DOCTOR].pk,
            "grant": EmergencyGrant.objects.create(
                user=users[DOCTOR], granted_by=users[ADMINISTRATOR], reason="The server is down", ends_at=NOW
            ).pk,
            "entry": AuditEntry.objects.get_for_object(own.appointment).get().pk,
            "session": Session.objects.latest("last_seen_at", "pk").handle,
            "token": ApiToken.objects.latest("pk").pk,
            "patient_type": ContentType.objects.get_for_model(Patient).pk,
        }
        yield SimpleNamespace(sessions=sessions, tokens=tokens, ids=ids)
        transaction.set_rollback(True)


def session_of(user):
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def diary_of(user):
    """What is in the own diary of a doctor: one visit booked, and one of the same patient who has arrived."""
    doctor = DoctorFactory(full_name="Dr Own", user=user)
    appointment = AppointmentFactory(doctor=doctor)
    arrived = AppointmentFactory(
        doctor=doctor, start_time=TODAY_AT_8, status="arrived", arrived_at=TODAY_AT_8, patient=appointment.patient
    )
    return SimpleNamespace(doctor=doctor, appointment=appointment, arrived=arrived, patient=appointment.patient)


@pytest.fixture
def own(doctor_user):
    """What is in the doctor's own diary."""
    return diary_of(doctor_user)


@pytest.fixture
def other():
    """An appointment of another doctor, whose patient has never seen the first."""
    return AppointmentFactory(doctor=DoctorFactory(full_name="Dr Other"))


def state():
    """All that a page could change."""
    return (
        list(Appointment.objects.order_by("pk").values()),
        list(Patient.objects.order_by("pk").values()),
        list(User.objects.order_by("pk").values("pk", "password", "is_active")),
        AuditEntry.objects.writes().count(),
    )


# The walk


def test_table_names_every_address_and_no_other():
    named = set(addresses(get_resolver())) - SHADOWED

    assert sorted(named) == sorted(TABLE)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("role", ALL_ROLES)
def test_page_is_served_to_its_roles_by_its_methods(walk, client, name, role):
    template, row = TABLE[name]
    address = template.format(**walk.ids)
    headers = {}
    if role != ANONYMOUS and address.startswith("/api/"):
        headers = {"Authorization": f"Bearer {walk.tokens[role]}"}
    elif role != ANONYMOUS:
        client.cookies[settings.SESSION_COOKIE_NAME] = walk.sessions[role]

    outcomes = {method: outcome(client.generic(method, address, headers=headers)) for method in METHODS}

    wrong = {
        method: f"{got}, not {' or '.join(sorted(meant))}"
        for method, got in outcomes.items()
        if got not in (meant := expected(row, role, method))
    }
    assert wrong == {}


@pytest.mark.parametrize("name", TABLE)
def test_address_of_the_table_is_the_named_one(name):
    address = TABLE[name][0].partition("?")[0]

    match = resolve(re.sub(r"{\w+}", "7", address))

    assert name in (match.view_name, match.route.replace("^", ""))


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_unmeant_method_changes_nothing(client, own, administrator, method):
    client.force_login(administrator)
    before = state()

    for action in ("arrive", "no-show", "start", "complete", "attended", "undo", "move", "cancel"):
        client.generic(method, f"/appointments/{own.appointment.pk}/{action}/")
    for address in ("/appointments/book/", "/patients/new/", f"/patients/{own.patient.pk}/edit/"):
        client.generic(method, address)
    client.generic(method, f"/admin/appointments/appointment/{own.appointment.pk}/delete/")

    assert state() == before


@pytest.mark.parametrize("action", ["arrive", "no-show", "start", "complete", "attended", "undo"])
def test_action_by_get_changes_nothing(client, own, administrator, action):
    client.force_login(administrator)
    before = state()

    response = client.get(f"/appointments/{own.arrived.pk}/{action}/")

    assert response.status_code == 405
    assert sorted(response["Allow"].split(", ")) == ["POST"]
    assert state() == before


@pytest.mark.parametrize("action", ["arrive", "no-show", "start", "complete", "attended", "undo"])
def test_action_by_nobody_in_particular_changes_nothing(client, own, action):
    before = state()

    response = client.post(f"/appointments/{own.arrived.pk}/{action}/")

    assert response["Location"] == "/accounts/login/?next=/"
    assert state() == before


# One's own and other people's


@pytest.mark.parametrize(
    ("action", "status", "becomes"),
    [
        ("arrive", "booked", "arrived"),
        ("no-show", "booked", "no_show"),
        ("start", "arrived", "in_consultation"),
        ("complete", "in_consultation", "completed"),
        ("attended", "booked", "completed"),
        ("undo", "arrived", "booked"),
        ("undo", "in_consultation", "arrived"),
        ("undo", "completed", "in_consultation"),
        ("undo", "no_show", "booked"),
    ],
)
def test_doctor_acts_on_an_appointment_of_the_own_diary(client, doctor_user, action, status, becomes):
    doctor = DoctorFactory(user=doctor_user)
    completed_at = TODAY_AT_8 if status == "completed" else None
    appointment = AppointmentFactory(doctor=doctor, start_time=TODAY_AT_8, status=status, completed_at=completed_at)
    client.force_login(doctor_user)

    response = client.post(f"/appointments/{appointment.pk}/{action}/", {"version": appointment.version})

    assert response.status_code == 302
    appointment.refresh_from_db()
    assert appointment.status == becomes


@pytest.mark.parametrize("action", ["arrive", "no-show", "start", "complete", "attended", "undo"])
@pytest.mark.parametrize("status", ["booked", "arrived", "in_consultation"])
def test_doctor_cannot_act_on_an_appointment_of_another_diary(client, own, doctor_user, action, status):
    theirs = AppointmentFactory(doctor=DoctorFactory(), start_time=TODAY_AT_8, status=status)
    client.force_login(doctor_user)
    before = state()

    response = client.post(f"/appointments/{theirs.pk}/{action}/")

    assert response.status_code == 403
    assert state() == before


def test_doctor_cannot_open_an_appointment_of_another_diary(client, own, other, doctor_user):
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


def test_doctor_finds_no_record_of_a_stranger(client, own, other, doctor_user):
    client.force_login(doctor_user)

    response = client.get(f"/patients/{other.patient.pk}/")

    assert response.status_code == 404
    assert other.patient.last_name not in response.content.decode()


def test_doctor_sees_a_shared_patient_without_the_other_doctors_visits(client, own, other, doctor_user):
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
def test_receptionist_cannot_take_back_what_only_a_doctor_sets(at_desk, status):
    completed_at = TODAY_AT_8 if status == "completed" else None
    appointment = AppointmentFactory(start_time=TODAY_AT_8, status=status, completed_at=completed_at)
    before = state()

    response = at_desk.post(f"/appointments/{appointment.pk}/undo/")

    assert response.status_code == 403
    assert state() == before


@pytest.mark.parametrize(
    ("action", "status"), [("arrive", "in_consultation"), ("arrive", "completed"), ("start", "completed")]
)
def test_setting_a_status_does_not_serve_as_undo(client, administrator, action, status):
    appointment = AppointmentFactory(start_time=TODAY_AT_8, status=status, arrived_at=TODAY_AT_8, started_at=TODAY_AT_8)
    client.force_login(administrator)
    before = state()

    client.post(f"/appointments/{appointment.pk}/{action}/")

    assert state() == before


def test_doctor_cannot_bring_a_cancelled_visit_back(client, doctor_user):
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


def test_page_outside_the_table_sends_a_stranger_to_the_login(client, monkeypatch):
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


def held_by(role):
    return {
        f"{permission.content_type.app_label}.{permission.codename}"
        for permission in Group.objects.get(name=role).permissions.select_related("content_type")
    }


@pytest.mark.parametrize("role", [RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR])
def test_group_holds_what_its_role_names(role):
    assert held_by(role) == ROLES[role]


def test_migrate_gives_back_a_permission_taken_from_a_group():
    group = Group.objects.get(name=RECEPTIONIST)
    group.permissions.remove(Permission.objects.get(codename="add_appointment"))

    call_command("migrate", verbosity=0)

    assert "appointments.add_appointment" in held_by(RECEPTIONIST)


def test_migrate_takes_away_a_permission_given_to_a_group():
    group = Group.objects.get(name=MANAGER)
    group.permissions.add(Permission.objects.get(codename="view_patient"))

    call_command("migrate", verbosity=0)

    assert "patients.view_patient" not in held_by(MANAGER)


def test_migrate_makes_a_missing_group():
    Group.objects.filter(name=DOCTOR).delete()

    call_command("migrate", verbosity=0)

    assert "appointments.treat_own_appointment" in held_by(DOCTOR)


def test_role_with_an_unknown_permission_is_refused(monkeypatch):
    monkeypatch.setitem(ROLES, MANAGER, {"appointments.fly_appointment"})

    with pytest.raises(LookupError, match="fly_appointment"):
        sync_roles()


@pytest.mark.parametrize("permission", sorted(set().union(*ROLES.values())))
def test_permission_of_a_role_exists(permission):
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


def test_patient_of_nobody_is_no_doctors_own(client, own, doctor_user):
    stranger = PatientFactory()
    client.force_login(doctor_user)

    response = client.get(f"/patients/{stranger.pk}/")

    assert response.status_code == 404


def test_page_that_anybody_may_open_by_one_method_is_not_open_by_another(client, receptionist, monkeypatch):
    monkeypatch.setitem(
        page_access.PAGES, "patients:patient_search", {"GET": page_access.PUBLIC, "POST": ("nobody.has_this",)}
    )

    strangers = client.post("/patients/", {"query": "x"})
    client.force_login(receptionist)

    assert strangers["Location"].startswith("/accounts/login/")
    assert client.post("/patients/", {"query": "x"}).status_code == 403
