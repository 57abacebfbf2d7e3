"""Who sees which words: one in every text of two patients, two leaves and a user, and every address by each role."""

import datetime as dt
import io
import zipfile

import pytest
from django.conf import settings
from django.test import Client
from django.utils.html import strip_tags

from appointments.booking import actions
from appointments.displaced.finder import open_schedule_change
from appointments.models import CalendarFeed
from appointments.tests.factories import AppointmentFactory
from clinic.core.names import NO_INITIAL, initials
from clinic.models import ApiToken, AuditEntry, Session
from clinic.tests.api_client import token_of
from clinic.tests.factories import UserFactory
from clinic.tests.test_access import (
    ADMINISTRATOR,
    ALL_ROLES,
    ANONYMOUS,
    DOCTOR,
    MANAGER,
    NO_ROLE,
    RECEPTIONIST,
    TABLE,
    session_of,
)
from clinic.tests.test_objects import grant_to
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

AT_10 = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)
AT_8 = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
TEXTS = ("first", "last", "mail", "phone", "why", "notes", "outside", "cancelled")
LEAVE = ("leave",)

# Forms of pages that show more than their plain address does.
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


def words_of(whose, texts=TEXTS):
    return {f"{whose}{text}xq" if text != "phone" else PHONES[whose] for text in texts}


PHONES = {"own": "911111101", "foreign": "922222202"}
OWN, FOREIGN = words_of("own"), words_of("foreign")
OWN_LEAVE, FOREIGN_LEAVE = words_of("own", LEAVE), words_of("foreign", LEAVE)
ALL = OWN | FOREIGN | OWN_LEAVE | FOREIGN_LEAVE

SEEN = {
    ANONYMOUS: set(),
    NO_ROLE: set(),
    MANAGER: set(),
    RECEPTIONIST: OWN | FOREIGN,
    DOCTOR: OWN | OWN_LEAVE,
    ADMINISTRATOR: ALL,
}


def plant(whose, user):
    """Make a doctor with a patient whose every text has a word of its own; return ids for the table."""
    doctor = DoctorFactory(full_name=f"Dr {whose.title()}", user=user)
    timetable = TimetableFactory(doctor=doctor)
    patient = PatientFactory(
        first_name=f"{whose}firstxq", last_name=f"{whose}lastxq", email=f"{whose}mailxq@example.org",
        phone_number=PHONES[whose],
    )  # fmt: skip
    said = {"reason": f"{whose}whyxq", "notes": f"{whose}notesxq"}
    visit = AppointmentFactory(doctor=doctor, patient=patient, start_time=AT_10, **said)
    arrived = AppointmentFactory(
        doctor=doctor,
        patient=patient,
        start_time=AT_8,
        status="arrived",
        arrived_at=AT_8,
        outside_hours_reason=f"{whose}outsidexq",
    )
    cancelled = AppointmentFactory(doctor=doctor, patient=patient, start_time=AT_10 + dt.timedelta(hours=4))
    actions.cancel(cancelled, reason=f"{whose}cancelledxq", cancelled_by="patient", by=None)
    leave = LeaveFactory(
        doctor=doctor, start_time=AT_10, end_time=AT_10 + dt.timedelta(hours=1), reason=f"{whose}leavexq"
    )
    token_of(user)
    return {
        "appointment": visit.pk, "arrived": arrived.pk, "cancelled": cancelled.pk, "patient": patient.pk,
        "doctor": doctor.pk, "timetable": timetable.pk, "leave": leave.pk, "user": user.pk,
        "impact": open_schedule_change([visit], cause=leave.cause, by=None).pk,
        "feed_token": CalendarFeed.make(doctor, by=None),
        "entry": AuditEntry.objects.get_for_object(patient).first().pk,
        "token": ApiToken.objects.latest("pk").pk, "patient_type": 1,
        "grant": grant_to(user), "session": Session.objects.get(pk=session_of(user)).handle,
    }  # fmt: skip


def text_of(response):
    """Return all that an answer says: headers, and what is inside a workbook, too."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    if body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(body)) as book:
            body = b" ".join(book.read(name) for name in book.namelist())
    return f"{response.headers} {body.decode('utf-8', 'replace')}".replace(" ", "").lower()


def addresses(worlds):
    for ids in worlds:
        for address, _row in TABLE.values():
            yield address.format(**ids)
        yield f"/appointments/{ids['arrived']}/"
        yield f"/appointments/{ids['cancelled']}/"
        yield f"/schedule/2026-11-24/?doctor={ids['doctor']}"
        yield f"/appointments/book/?patient={ids['patient']}&doctor={ids['doctor']}"
        yield f"/appointments/free/?patient={ids['patient']}"
        yield f"/schedule/2026-11-24/?move={ids['appointment']}"
    yield from MORE


def client_of(user):
    client = Client(raise_request_exception=False)
    if user:
        client.force_login(user)
    return client


@pytest.mark.parametrize("role", ALL_ROLES)
def test_role_sees_exactly_the_words_that_are_meant_for_it(doctor_user, role):
    worlds = [plant("own", doctor_user), plant("foreign", UserFactory(role=DOCTOR))]
    closure, kind = ClosureFactory(), 1
    worlds = [ids | {"closure": closure.pk, "patient_type": kind} for ids in worlds]
    user = doctor_user if role == DOCTOR else None
    if role not in {ANONYMOUS, DOCTOR}:
        user = UserFactory(role=None if role == NO_ROLE else role)
    client, seen = client_of(user), {}

    for address in addresses(worlds):
        headers = {"Authorization": f"Bearer {token_of(user)}"} if user and address.startswith("/api/") else {}
        for more in ({}, {"HX-Request": "true"}):
            said = text_of(client.get(address, headers=headers | more))
            for word in ALL:
                if word in said:
                    seen.setdefault(word, address)

    assert {word: where for word, where in seen.items() if word not in SEEN[role]} == {}
    assert SEEN[role] - seen.keys() == set()


# Initials


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ("Maria", "Santos", "M. S."),
        ("Émile", "Ångström", "É. Å."),
        ("小明", "王", f"小. {NO_INITIAL}."),
        ("伟", "王", f"{NO_INITIAL}. {NO_INITIAL}."),
        ("O", "Yi", f"{NO_INITIAL}. Y."),
        ("कि", "सिंह", f"{NO_INITIAL}. स."),
        ("X\u200b", "Y\u0301", f"{NO_INITIAL}. {NO_INITIAL}."),
        ("\u200bAna", "Lima", "A. L."),
    ],
)
def test_initials_never_are_the_whole_name(first, last, shown):
    assert initials(first, last) == shown


def test_manager_does_not_read_a_name_of_one_letter(client, manager):
    AppointmentFactory(patient=PatientFactory(first_name="伟", last_name="王"), start_time=AT_10)
    client.force_login(manager)

    for address in ("/schedule/2026-11-24/", "/schedule/2026-11-24/?layout=list", "/schedule/2026-11-24/print/"):
        text = strip_tags(client.get(address).content.decode())
        assert "伟" not in text
        assert "王" not in text


def test_table_of_words_covers_every_text_of_a_patient():
    texts = {field.name for field in Patient._meta.fields if field.get_internal_type() in {"CharField", "EmailField"}}

    assert texts == {"first_name", "last_name", "email", "phone_number", "name_key"}
    assert settings.AUTH_USER_MODEL == "clinic.User"
