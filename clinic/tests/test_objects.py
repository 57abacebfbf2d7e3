"""Whose record it is: every address with an id, for each role and method, on the own, a foreign and no record at all.

Own and foreign is told apart for a doctor alone; where a role may use a page for all records, it may for both.
"""

import datetime as dt
import re
from types import SimpleNamespace

import pytest
import time_machine
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from appointments.displaced.finder import open_schedule_change
from appointments.models import Appointment, CalendarFeed, EmergencyGrant, ScheduleChange
from appointments.tests.factories import AppointmentFactory
from clinic.models import ApiToken, AuditEntry, ImportDraft, ImportRow, KeptAnswer, Session, User
from clinic.spreadsheets.drafts import open_draft
from clinic.tests.api_client import ApiClient, token_of
from clinic.tests.factories import UserFactory
from clinic.tests.test_access import (
    ADMINISTRATOR,
    ALL_ROLES,
    ANONYMOUS,
    DOCTOR,
    MANAGER,
    NO_ROLE,
    NOBODY,
    NOW,
    RECEPTIONIST,
    SIGNED_IN,
    TABLE,
    diary_of,
    session_of,
)
from doctors.models import Closure, Leave, Timetable
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.imports import PatientImporter
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

UNKNOWN_ID = 987_654
METHODS = ("GET", "POST", "PATCH")  # no page is meant for another; those are in test_access

# What a doctor hears at pages that are open to doctors, of a record that is not the own one. At others all are served.
FOREIGN_TO_A_DOCTOR = {
    "appointments:appointment_detail": "403",
    "appointments:appointment_calendar": "403",
    "appointments:appointment_arrive": "403",
    "appointments:appointment_no_show": "403",
    "appointments:appointment_start": "403",
    "appointments:appointment_complete": "403",
    "appointments:appointment_attended": "403",
    "appointments:appointment_undo": "403",
    "appointments:calendar_feed_edit": "403",
    "patients:patient_detail": "404",
    "api:patient": "404",
    "api:appointment": "403",
    "api:appointment_arrive": "403",
    "api:appointment_no_show": "403",
    "api:appointment_start": "403",
    "api:appointment_complete": "403",
    "fhir:patient_read": "404",
    "fhir:appointment_read": "404",
}
# What is heard of a record that does not exist, by who may use the page; at others 404.
UNKNOWN = {
    "admin:view_on_site": "404",
    **dict.fromkeys(
        [name for name in TABLE if re.fullmatch(r"admin:\w+_(change|delete|history)", name)], "to the index"
    ),
    "admin:auth_user_password_change": "404",
    "api:appointment_cancel": "served",  # 422: what the body lacks is said before
}
# To everybody else, whatever the role, they are as good as gone. The "own" records are the doctor's.
ONLY_OWN = {"session_end"}
REDIRECTING = re.compile(r"admin/\w+/\w+/<path:object_id>/")  # to the change page, whatever there is
WITH_IDS = [name for name, (address, _row) in TABLE.items() if "{" in address and not REDIRECTING.fullmatch(name)]
NO_SUCH = {"feed_token": "A" * 43, "session": "A" * 16}


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """A person of each role, and what is in the own diary of the doctor and in another's."""

    with django_db_blocker.unblock(), transaction.atomic():
        with time_machine.travel(NOW, tick=False):
            users = {role: UserFactory(role=None if role == NO_ROLE else role) for role in SIGNED_IN}
            other_user = UserFactory(role=DOCTOR)
            sessions = {role: session_of(user) for role, user in users.items()}
            tokens = {role: token_of(user) for role, user in users.items()}
            own = ids_of(diary_of(users[DOCTOR]), users[DOCTOR])
            foreign = ids_of(diary_of(other_user), other_user)
            stranger = Patient.objects.get(pk=foreign["patient"])
            stranger.first_name, stranger.last_name = "Zenobia", "Quixwort"
            stranger.save()
            unknown = dict.fromkeys(own, UNKNOWN_ID) | NO_SUCH
        objects = {"own": own, "foreign": foreign, "unknown": unknown | {"patient_type": own["patient_type"]}}
        yield SimpleNamespace(sessions=sessions, tokens=tokens, objects=objects)
        transaction.set_rollback(True)


def ids_of(diary, user):
    doctor, day = diary.doctor, dt.date(2026, 12, 20 + Closure.objects.count())
    return {
        "appointment": diary.appointment.pk,
        "arrived": diary.arrived.pk,
        "patient": diary.patient.pk,
        "doctor": doctor.pk,
        "timetable": TimetableFactory(doctor=doctor, valid_until=dt.date(2020, 1, 1)).pk,
        "leave": LeaveFactory(doctor=doctor).pk,
        "closure": ClosureFactory(date=day).pk,
        "impact": open_schedule_change([diary.appointment], cause="Leave", by=None).pk,
        "feed_token": CalendarFeed.make(doctor, by=None),
        "user": user.pk,
        "entry": AuditEntry.objects.get_for_object(diary.appointment).writes().get().pk,
        "grant": grant_to(user),
        "session": Session.objects.get(pk=session_of(user)).handle,
        "token": ApiToken.objects.get(pk=made_for(user)).pk,
        "patient_type": ContentType.objects.get_for_model(Patient).pk,
    }


def grant_to(user):
    given_by = UserFactory(role=ADMINISTRATOR)
    return EmergencyGrant.objects.create(user=user, granted_by=given_by, reason="The server is down", ends_at=NOW).pk


def made_for(user):
    token_of(user)
    return ApiToken.objects.latest("pk").pk


def expected(name, row, role, method, whose):
    """Return what an address answers: written down in `TABLE` for the page, above for the record."""
    if role not in row.get(method, NOBODY):
        if role == ANONYMOUS and set(ALL_ROLES) not in row.values():
            return {"to the login"}
        uses_the_page = method not in row and any(role in roles for roles in row.values())
        return {"405"} if uses_the_page else {"403", "405"} - ({"405"} if method in row else set())
    if whose == "unknown":
        return {UNKNOWN.get(name, "404")}
    if name in ONLY_OWN and method in row:
        return {"served" if (whose, role) == ("own", DOCTOR) else "404"}
    if whose == "foreign" and role == DOCTOR and method in row:
        return {FOREIGN_TO_A_DOCTOR.get(name, "served")}
    return {"served"}


def outcome(response):
    location = response.headers.get("Location", "")
    if response.status_code == 401 or location.startswith("/accounts/login/"):
        return "to the login"
    if response.status_code == 302 and location == "/admin/":
        return "to the index"
    return str(response.status_code) if response.status_code in {400, 403, 404, 405, 500} else "served"


def state():
    """All that could be changed by what is refused."""
    models = (Appointment, Patient, User, CalendarFeed, Leave, Closure, Timetable, ScheduleChange)
    rows = [list(model.objects.order_by("pk").values()) for model in models]
    # That a token was used is noted of any call.
    tokens = list(ApiToken.objects.order_by("pk").values("pk", "name", "user", "expires_at", "revoked_at"))
    return rows, tokens, AuditEntry.objects.writes().count()


def call(world, role, method, address):
    client, headers = Client(raise_request_exception=False), {}
    if role != ANONYMOUS and address.startswith("/api/"):
        headers = {"Authorization": f"Bearer {world.tokens[role]}"}
    elif role != ANONYMOUS:
        client.cookies[settings.SESSION_COOKIE_NAME] = world.sessions[role]
    kind = {"content_type": "application/json"} if address.startswith("/api/") else {}
    return client.generic(method, address, "{}" if kind and method != "GET" else "", headers=headers, **kind)


@pytest.mark.parametrize("name", WITH_IDS)
@pytest.mark.parametrize("role", ALL_ROLES)
def test_record_is_open_to_whom_it_is_meant_for_and_nothing_refused_is_changed_or_told(world, role, name):
    template, row = TABLE[name]
    wrong = {}
    for whose, ids in world.objects.items():
        for method in METHODS:
            meant = expected(name, row, role, method, whose)
            refused = "served" not in meant
            before = state() if refused and method != "GET" else None

            with transaction.atomic():
                response = call(world, role, method, template.format(**ids))
                got = outcome(response)
                after = state() if before else None
                transaction.set_rollback(True)

            if got not in meant:
                wrong[method, whose] = f"{got}, not {' or '.join(sorted(meant))}"
            if refused and after != before:
                wrong[method, whose] = "changed"
            if refused and (b"Quixwort" in response.content or b"Zenobia" in response.content):
                wrong[method, whose] = "told a name"
    assert wrong == {}


def test_table_of_foreign_records_names_pages_that_are_open_to_doctors():
    for name in FOREIGN_TO_A_DOCTOR:
        assert any(DOCTOR in roles for roles in TABLE[name][1].values()), name


# Ids in bodies and in hidden fields


def test_import_draft_of_somebody_else_is_as_good_as_gone(in_admin):
    owner = UserFactory(role=ADMINISTRATOR)
    file = SimpleUploadedFile("people.csv", b"First name,Last name,E-mail\nZenobia,Quixwort,z@example.org\n")
    draft = open_draft(PatientImporter(), file, by=owner, month_first=False)

    for said in (None, {}, {"cancel": "1"}, {"dismiss": "1"}, {"look": "show=6"}):
        address = f"/patients/import/{draft.pk}/"
        response = in_admin.get(address) if said is None else in_admin.post(address, said, follow=True)

        assert b"Quixwort" not in response.content
    assert ImportDraft.objects.get().registered is None
    assert ImportRow.objects.count() == 1
    assert not Patient.objects.filter(email="z@example.org").exists()


def test_answer_kept_for_somebody_elses_key_is_not_given_away(receptionist, admin_api):
    other = ApiClient(UserFactory(role=RECEPTIONIST))
    key = "6f1c1a3e-0000-4000-8000-000000000001"
    ana = {"first_name": "Zenobia", "last_name": "Quixwort", "email": "z@example.org"}
    other.post("/patients", ana, Idempotency_Key=key)

    response = admin_api.post("/patients", ana | {"first_name": "Ana"}, Idempotency_Key=key)

    assert response.status_code == 400
    assert b"Zenobia" not in response.content
    assert KeptAnswer.objects.count() == 1


@pytest.mark.parametrize("role", [MANAGER, DOCTOR, NO_ROLE])
def test_booking_for_anybody_is_refused_to_who_may_not_book(client, patient, doctor, role):
    client.force_login(UserFactory(role=None if role == NO_ROLE else role))
    sent = {"patient": patient.pk, "doctor": doctor.pk, "date": "2026-11-25", "time": "10:00", "duration_minutes": 30}

    response = client.post("/appointments/book/", sent)

    assert response.status_code == 403
    assert not doctor.appointments.exists()


@pytest.mark.parametrize("role", [MANAGER, DOCTOR, NO_ROLE])
def test_booking_by_a_program_is_refused_to_who_may_not_book(patient, doctor, role):
    program = ApiClient(UserFactory(role=None if role == NO_ROLE else role))
    sent = {"patient_id": patient.pk, "doctor_id": doctor.pk, "start_time": "2026-11-25T10:00:00+00:00"}

    assert program.post("/appointments", sent).status_code == 403
    assert not doctor.appointments.exists()


@pytest.mark.parametrize("patient_id", ["987654", "0", "-1", "x", "1 OR 1=1", ""])
def test_booking_for_a_patient_who_is_none_is_refused(at_desk, doctor, patient_id):
    sent = {"patient": patient_id, "doctor": doctor.pk, "date": "2026-11-25", "time": "10:00", "duration_minutes": 30}

    response = at_desk.post("/appointments/book/", sent)

    assert response.status_code == 200
    assert not doctor.appointments.exists()


def test_key_of_somebody_elses_booking_books_nothing_and_changes_nothing(at_desk, doctor, patient):
    booked = AppointmentFactory()
    sent = {"patient": patient.pk, "doctor": doctor.pk, "date": "2026-11-25", "time": "10:00", "duration_minutes": 30}
    before = state()

    response = at_desk.post("/appointments/book/", sent | {"booking_key": str(booked.booking_key)})

    assert response.status_code == 200
    assert state() == before


def test_visit_of_another_impact_is_not_decided_about(at_desk):
    ours, theirs = AppointmentFactory(), AppointmentFactory()
    impact, other = (open_schedule_change([visit], cause="Leave", by=None) for visit in (ours, theirs))
    before = state()

    for said in ({"reached": other.hits.get().pk}, {"cancel": str(theirs.pk), "cancel_reason": "x", "row": "1:1:1"}):
        at_desk.post(impact.get_absolute_url(), said)

    assert state() == before


def test_form_that_says_an_old_version_changes_nothing(at_desk):
    visit = AppointmentFactory(start_time=dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC))

    for version in ("0", "99", "-1", "x", ""):
        at_desk.post(f"/appointments/{visit.pk}/arrive/", {"version": version})

    visit.refresh_from_db()
    assert visit.status == "booked"


# What the admin tells


@pytest.mark.parametrize(
    "address",
    [
        "/admin/appointments/appointment/?patient__email__startswith=a",
        "/admin/appointments/appointment/?patient__phone_number__contains=912",
        "/admin/appointments/appointment/?booked_by__password__startswith=pbkdf2",
        "/admin/doctors/doctor/?user__password__startswith=pbkdf2",
        "/admin/clinic/user/?password__startswith=pbkdf2",
        "/admin/clinic/apitoken/?digest__startswith=a",
        "/admin/clinic/apitoken/?user__password__startswith=pbkdf2",
    ],
)
def test_list_cannot_be_filtered_by_what_it_does_not_show(in_admin, address):
    assert in_admin.get(address).status_code == 400


@pytest.mark.parametrize(
    ("app", "model", "field"),
    [
        ("appointments", "appointment", "status"),
        ("auth", "user", "groups"),
        ("sessions", "session", "session_key"),
        ("nowhere", "nothing", "x"),
        ("clinic", "user", "password"),
    ],
)
def test_autocomplete_answers_only_for_fields_that_have_it(in_admin, app, model, field):
    address = f"/admin/autocomplete/?app_label={app}&model_name={model}&field_name={field}&term=a"

    assert in_admin.get(address).status_code == 403


def test_view_on_site_leads_to_the_record_and_nowhere_else(in_admin, patient, receptionist):
    kinds = {model: ContentType.objects.get_for_model(model).pk for model in (Patient, User)}

    to_patient = in_admin.get(f"/admin/r/{kinds[Patient]}/{patient.pk}/")
    to_user = in_admin.get(f"/admin/r/{kinds[User]}/{receptionist.pk}/")

    assert to_patient["Location"] == f"http://testserver/patients/{patient.pk}/"
    assert to_user.status_code == 404


# Two doctors


def test_doctor_hears_nothing_of_the_patients_visit_with_another(client, doctor_user):
    here, there = DoctorFactory(user=doctor_user), DoctorFactory(full_name="Dr Elsewhere")
    at_eight = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
    missed = AppointmentFactory(doctor=here, start_time=at_eight, status="no_show")
    AppointmentFactory(doctor=there, patient=missed.patient, start_time=at_eight + dt.timedelta(minutes=15))
    client.force_login(doctor_user)

    page = client.post(f"/appointments/{missed.pk}/undo/", {"version": missed.version}, follow=True)
    program = ApiClient(doctor_user).post(f"/appointments/{missed.pk}/arrive")

    missed.refresh_from_db()
    assert missed.status == "no_show"
    assert program.status_code == 409
    assert program.json()["errors"][0]["code"] == "patient_overlap"
    for response in (page, program):
        assert b"Elsewhere" not in response.content
        assert b"08:15" not in response.content


def test_receptionist_hears_which_visit_is_in_the_way(at_desk):
    at_eight = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
    missed = AppointmentFactory(start_time=at_eight, status="no_show")
    there = DoctorFactory(full_name="Dr Elsewhere")
    AppointmentFactory(doctor=there, patient=missed.patient, start_time=at_eight + dt.timedelta(minutes=15))

    page = at_desk.post(f"/appointments/{missed.pk}/undo/", {"version": missed.version}, follow=True)

    assert b"Dr Elsewhere" in page.content


def test_no_other_patient_of_the_same_name_is_taken_for_the_own(client, doctor_user):
    own = AppointmentFactory(doctor=DoctorFactory(user=doctor_user), patient=PatientFactory(last_name="Same"))
    namesake = PatientFactory(last_name="Same", email="other@example.org")
    client.force_login(doctor_user)

    assert client.get(f"/patients/{own.patient_id}/").status_code == 200
    assert client.get(f"/patients/{namesake.pk}/").status_code == 404
