"""Roles and their permissions. `migrate` resets the groups to these, so changes by hand do not last."""

from typing import Any


def _all(*models: str) -> set[str]:
    """Return the four permissions Django makes for each `app.model`."""
    verbs = ("add", "change", "delete", "view")
    return {f"{app}.{verb}_{model}" for app, model in (name.split(".") for name in models) for verb in verbs}


RECEPTIONIST = "Receptionist"
MANAGER = "Manager"
DOCTOR = "Doctor"
ADMINISTRATOR = "Administrator"
# Given beside another role.
OUT_OF_HOURS = "Out-of-hours booking"
AWAY_ENTRY = "Away entry"

ROLES: dict[str, set[str]] = {
    RECEPTIONIST: {
        "appointments.view_schedule",
        "appointments.view_appointment",
        "appointments.add_appointment",
        "appointments.change_appointment",
        "appointments.arrive_appointment",
        "patients.view_patient",
        "patients.add_patient",
        "patients.change_patient",
        "doctors.view_doctor",
    },
    MANAGER: {"appointments.view_schedule", "appointments.export_appointment", "doctors.view_doctor"},
    DOCTOR: {
        "appointments.view_schedule",
        "appointments.view_own_appointment",
        "appointments.arrive_own_appointment",
        "appointments.treat_own_appointment",
        "patients.view_own_patient",
        "doctors.view_doctor",
    },
    ADMINISTRATOR: _all("patients.patient", "doctors.doctor", "doctors.timetable", "doctors.leave", "doctors.closure")
    | {
        "doctors.enter_absence",
        "clinic.view_user",
        "clinic.add_user",
        "clinic.change_user",
        "clinic.view_apitoken",
        "clinic.add_apitoken",
        "clinic.change_apitoken",
        "appointments.view_appointment",
        "appointments.add_appointment",
        "appointments.change_appointment",
        "appointments.book_outside_hours",
        "appointments.view_schedule",
        "appointments.arrive_appointment",
        "appointments.treat_appointment",
        "appointments.export_appointment",
        "patients.import_patient",
        "patients.export_patient",
        "patients.anonymise_patient",
        "appointments.view_emergencygrant",
        "appointments.add_emergencygrant",
        "appointments.change_emergencygrant",
        "clinic.use_admin",
        "clinic.view_auditentry",
    },
    OUT_OF_HOURS: {"appointments.book_outside_hours"},
    AWAY_ENTRY: {"doctors.enter_absence"},
}


def sync_roles(using: str = "default", **kwargs: Any) -> None:
    """Create the groups with exactly their roles' permissions, after every `migrate`. LookupError if one is unknown."""
    from django.contrib.auth.models import Group, Permission

    permissions = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.using(using).values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for name, wanted in ROLES.items():
        if missing := wanted - permissions.keys():
            raise LookupError(f"Role {name} names unknown permissions: {', '.join(sorted(missing))}")
        group, _created = Group.objects.using(using).get_or_create(name=name)
        group.permissions.set([permissions[permission] for permission in wanted])
