"""One crawl of every URL by every role: the table, the users, and the requests.

What is asked of each answer stands in `crawl_checks.py`; `test_access.py` walks once a role and reports all deviations.
"""

import datetime as dt
import io
import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from unittest.mock import patch

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.template.base import Template
from django.test import Client
from django_htmx.middleware import HtmxDetails

from appointments.booking import actions
from appointments.displaced.finder import open_schedule_change
from appointments.models import CalendarFeed, EmergencyGrant
from appointments.tests.factories import AppointmentFactory
from clinic.models import ApiToken, AuditEntry, Session
from clinic.tests.api_client import token_of
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, START, at
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

# The table. From design.md, "Roles"; nothing here is read from clinic.access or clinic.roles.

ANONYMOUS, NO_ROLE = "anonymous", "no role"
RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR = "Receptionist", "Manager", "Doctor", "Administrator"
ALL_ROLES = (ANONYMOUS, NO_ROLE, RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR)
# The supported unsafe methods come last, as they may change data that others read.
METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "POST")

NO_ROLES = set()
EVERYBODY = set(ALL_ROLES)
SIGNED_IN = EVERYBODY - {ANONYMOUS}
STAFF = {RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR}
DESK = {RECEPTIONIST, ADMINISTRATOR}
ADMIN = {ADMINISTRATOR}


def page(address, *, get=None, post=None):
    """A URL and, for each supported method, the permitted roles."""
    meant = {"GET": get, "HEAD": get, "POST": post}
    return address, {method: roles for method, roles in meant.items() if roles is not None}


def call(address, **meant):
    """An API URL and the permitted roles of token users, by method; HEAD is not supported."""
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


# The doctor's own records; those of others are below.
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
    "appointments:doctor_week_now": page("/doctors/{doctor}/week/", get=STAFF),
    "appointments:doctor_week": page("/doctors/{doctor}/week/2026-11-24/", get=STAFF),
    "appointments:waiting_room": page("/waiting/", get=STAFF),
    "appointments:calendar_feed_edit": page(
        "/doctors/{doctor}/calendar/", get={ADMINISTRATOR, DOCTOR}, post={ADMINISTRATOR, DOCTOR}
    ),
    "appointments:calendar_feed": page("/calendar/{feed_token}.ics", get=EVERYBODY),
    "appointments:free_times": page("/appointments/free/", get=STAFF),
    "appointments:appointment_book": page("/appointments/book/", get=DESK, post=DESK),
    "appointments:appointment_export": page("/appointments/export/", get={MANAGER, ADMINISTRATOR}),
    "appointments:appointment_bulk": page("/appointments/bulk/", post={*DESK, DOCTOR}),
    "appointments:close_out": page("/appointments/close-out/", get={*DESK, DOCTOR}),
    "appointments:schedule_change_list": page("/appointments/impacts/", get=DESK),
    "appointments:schedule_change_detail": page("/appointments/impacts/{worklist}/", get=DESK, post=DESK),
    "appointments:schedule_change_print": page("/appointments/impacts/{worklist}/print/", get=DESK),
    "doctors:doctor_away": page("/doctors/{doctor}/away/", get=ADMIN, post=ADMIN),
    "doctors:away_undo": page("/doctors/leave/{leave}/undo/", post=ADMIN),
    "doctors:leave_add": page("/doctors/{doctor}/leave/", get=ADMIN, post=ADMIN),
    "doctors:leave_edit": page("/doctors/leave/{leave}/", get=ADMIN, post=ADMIN),
    "doctors:hours_add": page("/doctors/{doctor}/hours/", get=ADMIN, post=ADMIN),
    "doctors:hours_edit": page("/doctors/hours/{timetable}/", get=ADMIN, post=ADMIN),
    "doctors:closure_list": page("/doctors/closures/", get=STAFF),
    "doctors:closure_add": page("/doctors/closures/new/", get=ADMIN, post=ADMIN),
    "doctors:closure_holidays": page("/doctors/closures/holidays/", get=ADMIN, post=ADMIN),
    "doctors:closure_edit": page("/doctors/closures/{closure}/", get=ADMIN, post=ADMIN),
    "appointments:appointment_detail": page("/appointments/{appointment}/", get={*DESK, DOCTOR}, post=DESK),
    "appointments:appointment_patient": page("/appointments/{appointment}/patient/", get=DESK, post=DESK),
    "appointments:appointment_length": page("/appointments/{appointment}/length/45/", post=DESK),
    "appointments:appointment_calendar": page("/appointments/{appointment}/calendar.ics", get={*DESK, DOCTOR}),
    "appointments:appointment_move": page("/appointments/{appointment}/move/", get=DESK, post=DESK),
    "appointments:appointment_cancel": page("/appointments/{appointment}/cancel/", get=DESK, post=DESK),
    "appointments:appointment_arrive": page("/appointments/{appointment}/arrive/", post={*DESK, DOCTOR}),
    "appointments:appointment_no_show": page("/appointments/{appointment}/no-show/", post={*DESK, DOCTOR}),
    "appointments:appointment_left": page("/appointments/{appointment}/left/", post={*DESK, DOCTOR}),
    "appointments:appointment_start": page("/appointments/{appointment}/start/", post={ADMINISTRATOR, DOCTOR}),
    "appointments:appointment_complete": page("/appointments/{appointment}/complete/", post={ADMINISTRATOR, DOCTOR}),
    "appointments:appointment_attended": page("/appointments/{appointment}/attended/", post={*DESK, DOCTOR}),
    "appointments:appointment_undo": page("/appointments/{arrived}/undo/", post={*DESK, DOCTOR}),
    "appointments:booking_undo": page("/appointments/{appointment}/undo-booking/", post=DESK),
    "patients:patient_search": page("/patients/", get=DESK, post=DESK),
    "patients:patient_register": page("/patients/new/", get=DESK, post=DESK),
    "patients:patient_detail": page("/patients/{patient}/", get={*DESK, DOCTOR}),
    "patients:patient_edit": page("/patients/{patient}/edit/", get=DESK, post=DESK),
    "patients:patient_import": page("/patients/import/", get=ADMIN, post=ADMIN),
    "patients:patient_import_preview": page("/patients/import/7/", get=ADMIN, post=ADMIN),
    "patients:patient_export": page("/patients/export/", get=ADMIN),
    "patients:patient_data": page("/patients/{patient}/data/", get=ADMIN),
    "patients:patient_anonymise": page("/patients/{patient}/anonymise/", get=ADMIN, post=ADMIN),
    "patients:patient_retention": page("/patients/retention/", get=ADMIN),
    "doctors:doctor_list": page("/doctors/", get=STAFF),
    "doctors:doctor_detail": page("/doctors/{doctor}/", get=STAFF),
    "api_root": call("/api/", get=STAFF),
    "api:openapi-json": call("/api/openapi.json", get=STAFF),
    "api:openapi-view": call("/api/docs", get=STAFF),
    "api:patients": call("/api/patients", post=DESK),
    "api:patients_search": call("/api/patients/search", post=DESK),
    "api:patient": call("/api/patients/{patient}", get={*DESK, DOCTOR}, patch=DESK),
    "api:doctors": call("/api/doctors", get=STAFF, post=ADMIN),
    "api:doctor": call("/api/doctors/{doctor}", get=STAFF, patch=ADMIN),
    "api:doctor_free": call("/api/doctors/{doctor}/free", get=STAFF),
    "api:appointments": call("/api/appointments", get={*DESK, DOCTOR}, post=DESK),
    "api:appointment": call("/api/appointments/{appointment}", get={*DESK, DOCTOR}, patch=DESK),
    "api:appointment_move": call("/api/appointments/{appointment}/move", post=DESK),
    "api:appointment_cancel": call("/api/appointments/{appointment}/cancel", post=DESK),
    "api:appointment_arrive": call("/api/appointments/{appointment}/arrive", post={*DESK, DOCTOR}),
    "api:appointment_no_show": call("/api/appointments/{appointment}/no-show", post={*DESK, DOCTOR}),
    "api:appointment_left": call("/api/appointments/{appointment}/left", post={*DESK, DOCTOR}),
    "api:appointment_start": call("/api/appointments/{appointment}/start", post={ADMINISTRATOR, DOCTOR}),
    "api:appointment_complete": call("/api/appointments/{appointment}/complete", post={ADMINISTRATOR, DOCTOR}),
    "api_unknown": call("/api/nowhere/at/all", **dict.fromkeys(set(METHODS) - {"CONNECT", "BREW"}, EVERYBODY)),
    "fhir:metadata": call("/api/fhir/metadata", get=STAFF),
    "fhir:unknown": call("/api/fhir/Observation", get=STAFF),
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
    **admin_pages("doctors_timetable", "{timetable}", removers=NO_ROLES),
    **admin_pages("doctors_leave", "{leave}"),
    **admin_pages("doctors_closure", "{closure}"),
    **admin_pages("appointments_appointment", "{appointment}", removers=NO_ROLES),
    **admin_pages("appointments_emergencygrant", "{grant}", removers=NO_ROLES),
    **admin_pages("clinic_user", "{user}", removers=NO_ROLES),
    "admin:auth_user_password_change": page("/admin/clinic/user/{user}/password/", get=ADMIN, post=ADMIN),
    **admin_pages("clinic_apitoken", "{token}", removers=NO_ROLES),
    **admin_pages("clinic_auditentry", "{entry}", writers=NO_ROLES, changers=NO_ROLES, removers=NO_ROLES),
}


# Users and records

UNKNOWN_ID = 987_654
NO_SUCH = {"feed_token": "A" * 43, "session": "A" * 16}
FAR = "192.0.2.7"  # an address that is neither this machine's nor a probe's
ELSEWHERE = "https://elsewhere.example"
PHONES = {"own": "911111101", "foreign": "922222202"}
TEXTS = ("first", "last", "mail", "phone", "why", "notes", "outside", "cancelled")


def session_of(user):
    """Return the key of a new session of the user."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def grant_to(user):
    """Return the id of a new grant of emergency access to the user."""
    given_by = UserFactory(role=ADMINISTRATOR)
    return EmergencyGrant.objects.create(user=user, granted_by=given_by, reason="The server is down", ends_at=NOW).pk


def words_of(whose, texts=TEXTS):
    """Return the unique words in the texts of the patient."""
    return {f"{whose}{text}xq" if text != "phone" else PHONES[whose] for text in texts}


def plant(whose, user):
    """Create a doctor with a patient, and a unique word in each of their texts; return ids for the table."""
    doctor = DoctorFactory(full_name=f"Dr {whose.title()}", user=user)
    patient = PatientFactory(
        first_name=f"{whose}firstxq",
        last_name=f"{whose}lastxq",
        email=f"{whose}mailxq@example.org",
        phone_number=PHONES[whose],
    )
    of_both = {"doctor": doctor, "patient": patient}
    timetable = TimetableFactory(doctor=doctor)
    appointment = AppointmentFactory(**of_both, start_time=START, reason=f"{whose}whyxq", notes=f"{whose}notesxq")
    arrived = AppointmentFactory(
        **of_both, start_time=at(8), status="arrived", arrived_at=at(8), outside_hours_reason=f"{whose}outsidexq"
    )
    cancelled = AppointmentFactory(**of_both, start_time=at(14))
    actions.cancel(cancelled, reason=f"{whose}cancelledxq", cancelled_by="patient", by=None)
    leave = LeaveFactory(doctor=doctor, start_time=START, end_time=at(11), reason=f"{whose}leavexq")
    token_of(user)
    return {
        "appointment": appointment.pk,
        "arrived": arrived.pk,
        "cancelled": cancelled.pk,
        "patient": patient.pk,
        "doctor": doctor.pk,
        "timetable": timetable.pk,
        "leave": leave.pk,
        "worklist": open_schedule_change([appointment], cause=leave.cause, by=None).pk,
        "feed_token": CalendarFeed.make(doctor, by=None),
        "user": user.pk,
        "grant": grant_to(user),
        "entry": AuditEntry.objects.get_for_object(appointment).writes().first().pk,
        "session": Session.objects.get(pk=session_of(user)).handle,
        "token": ApiToken.objects.latest("pk").pk,
        "patient_type": ContentType.objects.get_for_model(Patient).pk,
    }


def make_world():
    """Create a user of each role, and records in the doctor's own and in another diary."""
    users = {role: UserFactory(role=None if role == NO_ROLE else role) for role in SIGNED_IN}
    own = plant("own", users[DOCTOR]) | {"closure": ClosureFactory(date=dt.date(2026, 12, 20)).pk}
    foreign = plant("foreign", UserFactory(role=DOCTOR)) | {"closure": ClosureFactory(date=dt.date(2026, 12, 21)).pk}
    unknown = dict.fromkeys(own, UNKNOWN_ID) | NO_SUCH | {"patient_type": own["patient_type"]}
    return SimpleNamespace(
        users=users,
        sessions={role: session_of(user) for role, user in users.items()},
        tokens={role: token_of(user) for role, user in users.items()},
        objects={"own": own, "foreign": foreign, "unknown": unknown},
        last_entry=AuditEntry.objects.latest("pk").pk,
    )


# The walk

# They also answer by plain HTTP, for load balancers.
PLAIN_TOO = {"livez", "readyz"}
REDIRECTING = re.compile(r"admin/\w+/\w+/<path:object_id>/")  # to the change page in any case
WITH_IDS = {name for name, (address, _row) in TABLE.items() if "{" in address and not REDIRECTING.fullmatch(name)}
# The methods that each role tries at every URL. The portal's own table has the same methods as this one, as
# `test_access.py` checks, and the portal refuses all others whoever asks: two roles are enough to try them.
TRIED = {
    ANONYMOUS: METHODS,
    NO_ROLE: ("GET", "HEAD", "POST"),
    RECEPTIONIST: ("GET", "POST"),
    MANAGER: ("GET", "POST"),
    DOCTOR: ("GET", "POST"),
    ADMINISTRATOR: METHODS,
}
# For other roles both doctors' records are the same, so one request is enough.
UNKNOWN_BY = [("unknown", method) for method in ("GET", "POST", "PATCH")]
OF_OTHERS = {
    True: [("foreign", method) for method in ("GET", "POST", "PATCH")] + UNKNOWN_BY,
    False: [("foreign", "GET"), *UNKNOWN_BY],
}
# Content of a page that needs more in its URL.
MORE = (
    "/?layout=list",
    "/schedule/2026-11-24/?layout=list&tab=all",
    "/schedule/2026-11-24/print/?now=1",
    "/appointments/export/?first=2026-11-24&last=2026-11-24&as=csv",
    "/appointments/export/?first=2026-11-24&last=2026-11-24&as=xlsx",
    "/patients/export/?as=csv",
    "/patients/export/?as=xlsx",
    "/api/appointments?date=2026-11-24",
    "/api/fhir/Appointment?date=2026-11-24",
    "/api/fhir/Patient?name=own",
    "/api/fhir/Patient?name=foreign",
    "/admin/patients/patient/?q=own",
    "/admin/appointments/appointment/?q=own",
)
MORE_WITH_IDS = (
    "/appointments/{arrived}/",
    "/appointments/{cancelled}/",
    "/schedule/2026-11-24/?doctor={doctor}",
    "/appointments/book/?patient={patient}&doctor={doctor}",
    "/appointments/free/?patient={patient}",
    "/schedule/2026-11-24/?move={appointment}",
)


@dataclass
class Call:
    """One request of the crawl: user, URL, response, and the tables written."""

    role: str
    name: str  # of the table; "" for an address of `MORE`
    method: str
    address: str
    whose: str  # "own", "foreign" or "unknown"; "" where the address names no record
    by_htmx: bool = False
    response: object = None
    plain: object = None  # the answer by plain HTTP, if checked
    text: str = ""
    writes: list = field(default_factory=list)  # (verb, table, changed columns)
    entries: list = field(default_factory=list)  # (event, id of the actor) of the audit trail

    def __str__(self):
        whose = f"{self.whose} " if self.whose else ""
        return f"{self.method} {self.name or self.address} {whose}{'by htmx' if self.by_htmx else ''}".strip()

    @property
    def is_api(self):
        return self.address.startswith("/api/")

    @property
    def is_plain_page(self):
        """Whether this is the first request for a page of the table."""
        return bool(self.name) and self.method == "GET" and self.whose in {"", "own"} and not self.by_htmx

    @property
    def row(self):
        return TABLE[self.name][1] if self.name else {}


def calls_of(role, objects):
    """Yield the role's requests: every URL by supported methods and by `TRIED`, records of others by supported ones."""
    for name, (template, row) in TABLE.items():
        for method in [method for method in METHODS if method in TRIED[role] or (method in row and method != "HEAD")]:
            whose = "own" if name in WITH_IDS else ""
            yield Call(role, name, method, template.format(**objects["own"]), whose)
        if name in WITH_IDS:
            for whose, method in OF_OTHERS[role == DOCTOR]:
                if method not in row and whose == "unknown":
                    continue  # refused before the record is looked up
                yield Call(role, name, method, template.format(**objects[whose]), whose)
    more = [*MORE, *(template.format(**objects[whose]) for template in MORE_WITH_IDS for whose in ("own", "foreign"))]
    for address in more:
        yield Call(role, "", "GET", address, "")


def walk(world, role):
    """Yield every call of a role with its answer, each undone in the database before the next.

    A page that looks whether htmx has asked is asked by htmx as well; of others the answer would be the same.
    """
    client = Client(raise_request_exception=False)
    with rendered_once("403.html", "404.html", "405.html"), varies_on_htmx() as looks:
        for call in calls_of(role, world.objects):
            looks.clear()
            answer(call, client, world)
            yield call
            if looks and call.method == "GET":
                by_htmx = Call(role, call.name, "GET", call.address, call.whose, by_htmx=True)
                answer(by_htmx, client, world)
                yield by_htmx


def answer(call, client, world):
    """Send the call, record the response and the writes, and roll back."""
    client.cookies.clear()
    if call.role != ANONYMOUS and not call.is_api:
        client.cookies[settings.SESSION_COOKIE_NAME] = world.sessions[call.role]
    with transaction.atomic(), connection.execute_wrapper(noting(call.writes)):
        call.response = send(client, call, world.tokens.get(call.role))
        if call.is_plain_page:
            call.plain = client.get("/" if call.name in PLAIN_TOO else call.address, REMOTE_ADDR=FAR)
        call.text = text_of(call.response)
        if any(write[:2] == ("INSERT", "clinic_auditentry") for write in call.writes):
            call.entries = list(AuditEntry.objects.filter(pk__gt=world.last_entry).values_list("event", "actor_id"))
        transaction.set_rollback(True)


@contextmanager
def varies_on_htmx():
    """Yield a list that grows whenever the htmx header is checked."""
    looks, asked = [], HtmxDetails.__bool__
    with patch.object(HtmxDetails, "__bool__", lambda details: looks.append(details) or asked(details)):
        yield looks


@contextmanager
def rendered_once(*names):
    """Render these pages once per reason, as they answer most calls."""
    render, pages = Template.render, {}

    def render_once(template, context):
        if template.name not in names:
            return render(template, context)
        reason = template.name, str(context.get("exception", ""))
        if reason not in pages:
            pages[reason] = render(template, context)
        return pages[reason]

    with patch.object(Template, "render", render_once):
        yield


def send(client, call, token):
    """Send the call by HTTPS; a form has a hostile `next`, a program sends an empty object."""
    headers, body, kind = {}, "", "application/octet-stream"
    if call.method == "GET":
        headers["Origin"] = ELSEWHERE
    if call.by_htmx:
        headers["HX-Request"] = "true"
    if call.is_api:
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        body, kind = ("" if call.method in {"GET", "HEAD"} else "{}"), "application/json"
    elif call.method == "POST":
        body, kind = f"next={ELSEWHERE}/", "application/x-www-form-urlencoded"
    return client.generic(call.method, call.address, body, kind, secure=True, headers=headers, REMOTE_ADDR=FAR)


def noting(writes):
    """Return a statement wrapper that records which tables and columns are written."""

    def note(execute, sql, params, many, context):
        if found := re.match(r"(INSERT|UPDATE|DELETE|REPLACE)\b\D*?[\"`](\w+)", sql):
            columns = re.findall(r"[\"`](\w+)[\"`] = ", sql.partition(" WHERE ")[0]) if found[1] == "UPDATE" else ()
            writes.append((found[1], found[2], tuple(columns)))
        return execute(sql, params, many, context)

    return note


def text_of(response):
    """Return all text of a response: headers, body, and the content of a workbook."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    if body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(body)) as book:
            body = b" ".join(book.read(name) for name in book.namelist())
    return f"{response.headers} {body.decode('utf-8', 'replace')}"
