"""Twenty actions of people and programs leave exactly these audit entries."""

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from appointments.models import Appointment
from clinic.accounts.roles import ADMINISTRATOR, DOCTOR, MANAGER, RECEPTIONIST
from clinic.models import AuditEntry, SeenPatient
from clinic.tests.api_client import ApiClient
from clinic.tests.factories import UserFactory
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

DESK, WARD, OFFICE, SERVER = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"
PASSWORD = "demo-clinic-2026"
STARTS, TEN, ELEVEN = "start_time", "2026-11-24 10:00:00", "2026-11-24 11:00:00"
CARDIOLOGY = {"specialization": ["General practice", "Cardiology"]}


class Clinic:
    """Users with their clients, and the records that the actions use and create."""

    def __init__(self):
        self.reception = UserFactory(username="reception", role=RECEPTIONIST)
        self.doctor_user = UserFactory(username="doctor", role=DOCTOR)
        self.manager = UserFactory(username="manager", role=MANAGER)
        self.admin = UserFactory(username="admin", role=ADMINISTRATOR)
        self.okafor, self.lopes = DoctorFactory(user=self.doctor_user), DoctorFactory()
        self.maria = PatientFactory(first_name="Maria", last_name="Santos")
        self.program = ApiClient(self.reception)
        self.token = self.reception.api_tokens.get()
        self.program.client.get("/livez")
        self.people = {place: Client(REMOTE_ADDR=place) for place in (DESK, WARD, OFFICE)}
        self.program.client.defaults["REMOTE_ADDR"] = SERVER

    @property
    def ana(self):
        return Patient.objects.get(email="ana@example.org")

    @property
    def appointment(self):
        return Appointment.objects.get()


def sign_in(at, name, password=PASSWORD):
    return lambda clinic: clinic.people[at].post("/accounts/login/", {"username": name, "password": password})


def register(clinic):
    sent = {"first_name": "Ana", "last_name": "Lopes", "email": "ana@example.org"}
    clinic.people[DESK].post("/patients/new/", sent)


def edit(clinic):
    ana = clinic.ana
    sent = {"first_name": "Ana", "last_name": "Silva", "email": ana.email, "seen_at": ana.updated_at.isoformat()}
    clinic.people[DESK].post(f"/patients/{ana.pk}/edit/", sent)


def book(clinic):
    sent = {
        "patient": clinic.ana.pk,
        "doctor": clinic.okafor.pk,
        "date": "2026-11-24",
        "time": "10:00",
        "duration_minutes": "30",
        "booking_key": "6f2f3c1e-8a54-4d8e-9b3f-1c2d3e4f5a6b",
    }
    clinic.people[DESK].post("/appointments/book/", sent)


def move(clinic):
    sent = {
        "doctor": clinic.okafor.pk,
        "date": "2026-11-24",
        "time": "11:00",
        "duration_minutes": "30",
        "version": clinic.appointment.version,
    }
    clinic.people[DESK].post(f"/appointments/{clinic.appointment.pk}/move/", sent)


def arrive(clinic):
    clinic.people[WARD].post(f"/appointments/{clinic.appointment.pk}/arrive/", {"version": clinic.appointment.version})


def cancel_through_api(clinic):
    clinic.program.post(f"/appointments/{clinic.appointment.pk}/cancel", {"reason": "Ill", "cancelled_by": "patient"})


def change_role(clinic):
    group = Group.objects.get(name=RECEPTIONIST)
    sent = {"username": "manager", "is_active": "on", "groups": [group.pk, Group.objects.get(name=MANAGER).pk]}
    joined = clinic.manager.date_joined
    sent |= {"date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}"}
    clinic.people[OFFICE].post(f"/admin/clinic/user/{clinic.manager.pk}/change/", sent)


def change_doctor(clinic):
    page = f"/admin/doctors/doctor/{clinic.lopes.pk}/change/"
    sent = {"full_name": clinic.lopes.full_name, "is_active": "on", "usual_minutes": 30, "gap_minutes": 0}
    clinic.people[OFFICE].post(page, sent | {"specialization": "Cardiology"})


def at(place, address, **values):
    """Return an action that opens an address, filled in from the clinic."""
    return lambda clinic: clinic.people[place].get(address.format(c=clinic, **values))


ACTIONS = [
    sign_in(DESK, "reception", "wrong"),
    sign_in(DESK, "reception"),
    lambda c: c.people[DESK].post("/patients/", {"query": "santos"}, headers={"HX-Request": "true"}),
    at(DESK, "/patients/{c.maria.pk}/"),
    register,
    edit,
    book,
    move,
    at(DESK, "/schedule/2026-11-24/print/"),
    sign_in(WARD, "doctor"),
    at(WARD, "/appointments/{c.appointment.pk}/"),
    arrive,
    at(WARD, "/patients/{c.maria.pk}/"),  # not this doctor's patient
    lambda c: c.program.get(f"/appointments/{c.appointment.pk}"),
    cancel_through_api,
    sign_in(OFFICE, "admin"),
    change_role,
    change_doctor,
    at(OFFICE, "/patients/export/?as=csv"),
    lambda c: c.people[OFFICE].post("/accounts/logout/"),
]

# Event, actor, model and id of the record, patient, address, by a token?, patients in a list, details or changes.
TABLE = [
    ("sign_in_failed", None, "user", "reception", None, DESK, False, set(), None),
    ("sign_in", "reception", "user", "reception", None, DESK, False, set(), None),
    ("search", "reception", "patient", None, None, DESK, False, {"maria"}, None),
    ("read", "reception", "patient", "maria", "maria", DESK, False, set(), None),
    ("write", "reception", "patient", "ana", "ana", DESK, False, set(), {"last_name": ["None", "Lopes"]}),
    ("write", "reception", "patient", "ana", "ana", DESK, False, set(), {"last_name": ["Lopes", "Silva"]}),
    ("write", "reception", "appointment", "appointment", "ana", DESK, False, set(), {STARTS: ["None", TEN]}),
    ("write", "reception", "appointment", "appointment", "ana", DESK, False, set(), {STARTS: [TEN, ELEVEN]}),
    ("read", "reception", "appointment", None, None, DESK, False, set(), "printed 2026-11-24"),
    ("sign_in", "doctor_user", "user", "doctor_user", None, WARD, False, set(), None),
    ("read", "doctor_user", "appointment", "appointment", "ana", WARD, False, set(), None),
    (
        "write",
        "doctor_user",
        "appointment",
        "appointment",
        "ana",
        WARD,
        False,
        set(),
        {"status": ["booked", "arrived"]},
    ),
    ("refusal", "doctor_user", "patient", "maria", "maria", WARD, False, set(), "status 404"),
    ("read", "reception", "appointment", "appointment", "ana", SERVER, True, set(), None),
    (
        "write",
        "reception",
        "appointment",
        "appointment",
        "ana",
        SERVER,
        True,
        set(),
        {"status": ["arrived", "cancelled"]},
    ),
    ("sign_in", "admin", "user", "admin", None, OFFICE, False, set(), None),
    ("write", "admin", "user", "manager", None, OFFICE, False, set(), {"groups": ["Manager", "Manager, Receptionist"]}),
    (
        "write",
        "admin",
        "doctor",
        "lopes",
        None,
        OFFICE,
        False,
        set(),
        CARDIOLOGY,
    ),
    ("export", "admin", "patient", None, None, OFFICE, False, set(), "rows 2"),
    ("sign_out", "admin", "user", "admin", None, OFFICE, False, set(), None),
]


def row_of(entry, clinic, expected):
    """Return an entry as a row of the table, with only those details or changes that the table has."""
    people = {getattr(clinic, name).pk: name for name in ("reception", "doctor_user", "manager", "admin")}
    patients = {clinic.maria.pk: "maria", clinic.ana.pk: "ana"}
    names = {
        "user": people,
        "patient": patients,
        "doctor": {clinic.lopes.pk: "lopes"},
        "appointment": {clinic.appointment.pk: "appointment"},
    }
    kind = entry.content_type.model
    seen = SeenPatient.objects.filter(entry=entry).values_list("patient_id", flat=True)
    details = None
    if isinstance(expected, dict):
        details = {name: entry.changes_dict.get(name) for name in expected}
    elif expected:
        name = expected.split()[0]
        value = (entry.additional_data or {}).get(name)
        details = f"{name} {', '.join(value) if isinstance(value, list) else value}"
    assert entry.token_id in (None, clinic.token.pk)
    return (
        entry.event,
        people.get(entry.actor_id),
        kind,
        names[kind][entry.object_id] if entry.object_id else None,
        patients[entry.patient_id] if entry.patient_id else None,
        entry.remote_addr,
        entry.token_id is not None,
        {patients[pk] for pk in seen},
        details,
    )


def test_twenty_actions_leave_exactly_these_entries(now):
    clinic = Clinic()
    last = AuditEntry.objects.order_by("-pk").first().pk

    for action in ACTIONS:
        action(clinic)
        now.shift(dt.timedelta(seconds=1))

    entries = list(AuditEntry.objects.filter(pk__gt=last).order_by("pk"))
    found = [row_of(entry, clinic, row[-1]) for entry, row in zip(entries, TABLE, strict=False)]
    assert found == TABLE
    assert len(entries) == len(TABLE) == len(ACTIONS) == 20
    assert [entry.timestamp for entry in entries] == sorted({entry.timestamp for entry in entries})
