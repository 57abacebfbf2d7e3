"""The access table: which permissions open which page, by method. Pages that are not in it are not served.

Any one of the permissions is enough. HEAD counts as GET, except below `/api/`. `PUBLIC` pages need no login,
`SIGNED_IN` ones no particular role. With an `own` permission, the view checks the record as well. Admin pages need
`clinic.use_admin` here and check the rest themselves.
"""

from urllib.parse import unquote

from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.urls import Resolver404, ResolverMatch, get_script_prefix, resolve

Permissions = tuple[str, ...]

PUBLIC: Permissions = ("public",)
SIGNED_IN: Permissions = ("signed in",)

_VIEW_PATIENT = ("patients.view_patient", "patients.view_own_patient")
_VIEW_APPOINTMENT = ("appointments.view_appointment", "appointments.view_own_appointment")
_ARRIVE = ("appointments.arrive_appointment", "appointments.arrive_own_appointment")
_TREAT = ("appointments.treat_appointment", "appointments.treat_own_appointment")
_BOOK = ("appointments.add_appointment",)
_CHANGE = ("appointments.change_appointment",)
# Any role: what describes the portal is for its staff only.
_STAFF = ("appointments.view_schedule",)
_FEED = ("doctors.change_doctor", "appointments.view_own_appointment")


def _by(permission: str) -> dict[str, Permissions]:
    return {"GET": (permission,), "POST": (permission,)}


PAGES: dict[str, dict[str, Permissions]] = {
    "livez": {"GET": PUBLIC},
    "readyz": {"GET": PUBLIC},  # to probes alone: see `clinic.ops.health`
    "login": {"GET": PUBLIC, "POST": PUBLIC},
    "login_code": {"GET": PUBLIC, "POST": PUBLIC},
    "logout": {"POST": SIGNED_IN},
    "account": {"GET": SIGNED_IN},
    "confirm": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "second_factor": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "session_list": {"GET": SIGNED_IN},
    "session_end": {"POST": SIGNED_IN},
    "session_end_others": {"POST": SIGNED_IN},
    "session_left": {"GET": SIGNED_IN},
    "session_stay": {"POST": SIGNED_IN},
    "form_keep": {"POST": SIGNED_IN},
    "password_change": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "password_change_done": {"GET": SIGNED_IN},
    "audit_trail": _by("clinic.view_auditentry"),
    "appointments:schedule_today": {"GET": ("appointments.view_schedule",)},
    "appointments:schedule_now": {"GET": ("appointments.view_schedule",)},
    "appointments:schedule_day": {"GET": ("appointments.view_schedule",)},
    "appointments:schedule_print": {"GET": ("appointments.view_schedule",)},
    "appointments:schedule_pack": {"GET": ("appointments.view_schedule",)},
    # It is polled often, and only says that something has changed, not what.
    "appointments:schedule_print_next": {"GET": ("appointments.view_schedule",)},
    "appointments:doctor_week_now": {"GET": ("appointments.view_schedule",)},
    "appointments:doctor_week": {"GET": ("appointments.view_schedule",)},
    "appointments:waiting_room": {"GET": ("appointments.view_schedule",)},
    "appointments:calendar_feed_edit": {"GET": _FEED, "POST": _FEED},
    # Calendar programs cannot log in: the URL itself is the key.
    "appointments:calendar_feed": {"GET": PUBLIC},
    "appointments:free_times": {"GET": ("appointments.view_schedule",)},
    "appointments:appointment_book": {"GET": _BOOK, "POST": _BOOK},
    "appointments:appointment_bulk": {"POST": (*_ARRIVE, *_CHANGE)},
    "appointments:close_out": {"GET": _ARRIVE},
    "appointments:schedule_change_list": {"GET": _CHANGE},
    "appointments:schedule_change_detail": {"GET": _CHANGE, "POST": _CHANGE},
    "appointments:schedule_change_print": {"GET": _CHANGE},
    "appointments:appointment_detail": {"GET": _VIEW_APPOINTMENT, "POST": _CHANGE},
    "appointments:appointment_patient": {"GET": _CHANGE, "POST": _CHANGE},
    "appointments:appointment_length": {"POST": _CHANGE},
    "appointments:appointment_calendar": {"GET": _VIEW_APPOINTMENT},
    "appointments:appointment_move": {"GET": _CHANGE, "POST": _CHANGE},
    "appointments:appointment_cancel": {"GET": _CHANGE, "POST": _CHANGE},
    "appointments:appointment_arrive": {"POST": _ARRIVE},
    "appointments:appointment_no_show": {"POST": _ARRIVE},
    "appointments:appointment_left": {"POST": _ARRIVE},
    "appointments:appointment_start": {"POST": _TREAT},
    "appointments:appointment_complete": {"POST": _TREAT},
    "appointments:appointment_attended": {"POST": _ARRIVE},
    "appointments:appointment_undo": {"POST": (*_ARRIVE, *_TREAT, *_CHANGE)},
    "appointments:booking_undo": {"POST": _CHANGE},
    "appointments:appointment_export": {"GET": ("appointments.export_appointment",)},
    "patients:patient_search": {"GET": ("patients.view_patient",), "POST": ("patients.view_patient",)},
    "patients:patient_register": {"GET": ("patients.add_patient",), "POST": ("patients.add_patient",)},
    "patients:patient_detail": {"GET": _VIEW_PATIENT},
    "patients:patient_edit": {"GET": ("patients.change_patient",), "POST": ("patients.change_patient",)},
    "patients:patient_import": _by("patients.import_patient"),
    "patients:patient_import_preview": _by("patients.import_patient"),
    "patients:patient_export": {"GET": ("patients.export_patient",)},
    "patients:patient_data": {"GET": ("patients.export_patient",)},
    "patients:patient_anonymise": _by("patients.anonymise_patient"),
    "patients:patient_retention": {"GET": ("patients.anonymise_patient",)},
    "doctors:doctor_away": _by("doctors.enter_absence"),
    "doctors:away_undo": {"POST": ("doctors.enter_absence",)},
    "doctors:leave_add": _by("doctors.add_leave"),
    "doctors:leave_edit": _by("doctors.change_leave"),
    "doctors:hours_add": _by("doctors.add_timetable"),
    "doctors:hours_edit": _by("doctors.change_timetable"),
    "doctors:closure_list": {"GET": ("doctors.view_doctor",)},
    "doctors:closure_add": _by("doctors.add_closure"),
    "doctors:closure_holidays": _by("doctors.add_closure"),
    "doctors:closure_edit": _by("doctors.change_closure"),
    "doctors:doctor_list": {"GET": ("doctors.view_doctor",)},
    "doctors:doctor_detail": {"GET": ("doctors.view_doctor",)},
    "api_root": {"GET": _STAFF},
    "api:openapi-json": {"GET": _STAFF},
    "api:openapi-view": {"GET": _STAFF},
    "api:patients": {"POST": ("patients.add_patient",)},
    "api:patients_search": {"POST": ("patients.view_patient",)},
    "api:patient": {"GET": _VIEW_PATIENT, "PATCH": ("patients.change_patient",)},
    "api:doctors": {"GET": ("doctors.view_doctor",), "POST": ("doctors.add_doctor",)},
    "api:doctor": {"GET": ("doctors.view_doctor",), "PATCH": ("doctors.change_doctor",)},
    "api:doctor_free": {"GET": ("appointments.view_schedule",)},
    "api:appointments": {"GET": _VIEW_APPOINTMENT, "POST": _BOOK},
    "api:appointment": {"GET": _VIEW_APPOINTMENT, "PATCH": _CHANGE},
    "api:appointment_move": {"POST": _CHANGE},
    "api:appointment_cancel": {"POST": _CHANGE},
    "api:appointment_arrive": {"POST": _ARRIVE},
    "api:appointment_start": {"POST": _TREAT},
    "api:appointment_complete": {"POST": _TREAT},
    "api:appointment_no_show": {"POST": _ARRIVE},
    "api:appointment_left": {"POST": _ARRIVE},
    # Always 404, for everyone and every method.
    "api_unknown": dict.fromkeys(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"), PUBLIC),
    # These describe the FHIR API or answer 404, and reveal no record.
    "fhir:metadata": {"GET": _STAFF},
    "fhir:unknown": {"GET": _STAFF},
    "fhir:patient_search": {"GET": ("patients.view_patient",)},
    "fhir:patient_search_form": {"POST": ("patients.view_patient",)},
    "fhir:patient_read": {"GET": _VIEW_PATIENT},
    "fhir:practitioner_search": {"GET": ("doctors.view_doctor",)},
    "fhir:practitioner_search_form": {"POST": ("doctors.view_doctor",)},
    "fhir:practitioner_read": {"GET": ("doctors.view_doctor",)},
    "fhir:schedule_search": {"GET": ("doctors.view_doctor",)},
    "fhir:schedule_search_form": {"POST": ("doctors.view_doctor",)},
    "fhir:schedule_read": {"GET": ("doctors.view_doctor",)},
    "fhir:slot_search": {"GET": ("appointments.view_schedule",)},
    "fhir:slot_search_form": {"POST": ("appointments.view_schedule",)},
    "fhir:slot_read": {"GET": ("appointments.view_schedule",)},
    "fhir:appointment_search": {"GET": _VIEW_APPOINTMENT},
    "fhir:appointment_search_form": {"POST": _VIEW_APPOINTMENT},
    "fhir:appointment_read": {"GET": _VIEW_APPOINTMENT},
    "doctors:doctor_import": _by("doctors.add_doctor"),
    "doctors:doctor_import_preview": _by("doctors.add_doctor"),
}
_ADMIN: dict[str, Permissions] = {"GET": ("clinic.use_admin",), "POST": ("clinic.use_admin",)}

# Pages and methods that need a recent sign-in, or a confirmation with the password.
CONFIRMED: frozenset[tuple[str, str]] = frozenset(
    {
        ("appointments:appointment_export", "GET"),
        ("patients:patient_export", "GET"),
        ("patients:patient_data", "GET"),
        ("patients:patient_anonymise", "GET"),
        ("patients:patient_anonymise", "POST"),
        ("appointments:calendar_feed_edit", "POST"),
        ("session_end", "POST"),
        ("session_end_others", "POST"),
        ("second_factor", "GET"),
        ("second_factor", "POST"),
        ("admin:clinic_user_changelist", "POST"),
        ("admin:clinic_user_add", "GET"),
        ("admin:clinic_user_add", "POST"),
        ("admin:clinic_user_change", "GET"),
        ("admin:clinic_user_change", "POST"),
        ("admin:auth_user_password_change", "GET"),
        ("admin:auth_user_password_change", "POST"),
        ("admin:clinic_apitoken_changelist", "GET"),
        ("admin:clinic_apitoken_changelist", "POST"),
        ("admin:clinic_apitoken_add", "GET"),
        ("admin:clinic_apitoken_add", "POST"),
        ("admin:clinic_apitoken_change", "GET"),
        ("admin:clinic_apitoken_change", "POST"),
        ("admin:appointments_emergencygrant_changelist", "POST"),
        ("admin:appointments_emergencygrant_add", "GET"),
        ("admin:appointments_emergencygrant_add", "POST"),
    }
)


def page_at(path: str) -> ResolverMatch | None:
    """Return the page at a path of the portal, percent-encoded or not, if there is one."""
    try:
        return resolve(unquote(path).removeprefix(get_script_prefix().rstrip("/")))
    except Resolver404:
        return None


def methods_of(page: ResolverMatch | None) -> dict[str, Permissions]:
    """Return the permissions by method; empty for a page that is not in the table."""
    if page is None:
        return {}
    return _ADMIN if page.namespaces == ["admin"] else PAGES.get(page.view_name, {})


def is_open_to(user: PermissionsMixin | AnonymousUser, permissions: Permissions) -> bool:
    """Return whether a signed-in user has one of the permissions, or needs none."""
    return permissions == SIGNED_IN or any(user.has_perm(permission) for permission in permissions)
