"""A patient with every kind of data, and another one with whom an appointment was swapped."""

import datetime as dt
import uuid

import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from appointments.booking import actions
from appointments.displaced.finder import open_schedule_change
from appointments.models import Appointment, DisplacedAppointment
from clinic.accounts.roles import ADMINISTRATOR, MANAGER, RECEPTIONIST
from clinic.models import StoredResponse
from clinic.tests.api_client import ApiClient
from clinic.tests.factories import UserFactory
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

# All values ever stored about the patient, in every usual spelling.
FORMER = [
    "Quillon",
    "Featherby",
    "Zoë-Featherby",
    "q.featherby@example.org",
    "quillon.old@example.org",
    "+44 20 7946 0123",
    "2079460123",
    "0044 20 7946 9999",
    "1961-02-13",
    "13/02/1961",
    "13 February 1961",
    "Reason-of-a-palpitation",
    "Notes-on-a-palpitation",
    "Called-off-for-a-funeral",
    "Moved-for-a-christening",
    "Outside-for-a-journey",
    "Handed-over-by-mistake",
    "Taken-over-and-mine-now",
]

A_MOMENT_AGO = dt.datetime(2026, 11, 25, 8, 55, tzinfo=dt.UTC)
MORNING = dt.datetime(2026, 11, 2, 8, 0, tzinfo=dt.UTC)
CSV = "First name,Last name,E-mail,Phone number,Date of birth\n"


def day(number, hour=10):
    return dt.datetime(2026, 11, number, hour, 0, tzinfo=dt.UTC)


NOW = day(25, 9)  # when all of it is past


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


class Life:
    """Appointments of `patient` and `other` were swapped; all are in the past."""

    def __init__(self):
        with time_machine.travel(MORNING, tick=False):
            self.desk, self.admin = UserFactory(role=RECEPTIONIST), UserFactory(role=ADMINISTRATOR)
            self.manager = UserFactory(role=MANAGER)
            self.doctor, self.stand_in = DoctorFactory(), DoctorFactory()
            self.other = PatientFactory(first_name="Ottoline", last_name="Brackwater", phone_number="555 000 111")
            self._register()
            self._edit()
            self._appointment()
            self._swap()
            self._call_off()
            self._displaced()
            StoredResponse.objects.update(created_at=A_MOMENT_AGO)  # less than a day ago at the next login
        with time_machine.travel(A_MOMENT_AGO, tick=False):
            self.desk_client, self.admin_client = signed_in(self.desk), signed_in(self.admin)
            self._close()
            self._in_search()
            self._in_import()

    def _register(self):
        """Register the patient through the API, whose response is stored for repeated requests."""
        self.desk_client, self.admin_client = signed_in(self.desk), signed_in(self.admin)
        body = {
            "first_name": "Quillon",
            "last_name": "Featherby",
            "email": "quillon.old@example.org",
            "phone_number": "0044 20 7946 9999",
            "date_of_birth": "1961-02-13",
        }
        self.key = str(uuid.uuid4())
        answer = ApiClient(self.desk).call("POST", "/patients", body, Idempotency_Key=self.key)
        self.patient = Patient.objects.get(pk=answer.json()["id"])

    def _edit(self):
        page = f"/patients/{self.patient.pk}/edit/"
        data = {
            "first_name": "Quillon",
            "last_name": "Zoë-Featherby",
            "email": "q.featherby@example.org",
            "phone_number": "+44 20 7946 0123",
            "date_of_birth": "1961-02-13",
            "seen_at": self.patient.updated_at.isoformat(),
        }
        assert self.desk_client.post(page, data).status_code == 302
        self.patient.refresh_from_db()

    def _appointment(self):
        """Booked through the API, outside hours, moved with a reason, with notes."""
        body = {"patient_id": self.patient.pk, "doctor_id": self.doctor.pk, "duration_minutes": 30}
        body |= {"start_time": day(3).isoformat(), "reason": "Reason-of-a-palpitation"}
        body |= {"notes": "Notes-on-a-palpitation"}
        answer = ApiClient(self.desk).call("POST", "/appointments", body, Idempotency_Key=str(uuid.uuid4()))
        self.appointment = Appointment.objects.get(pk=answer.json()["id"])
        moved = {"doctor": self.stand_in, "start_time": day(4), "duration_minutes": 30}
        self.appointment = actions.move(self.appointment, by=self.desk, reason="Moved-for-a-christening", **moved)
        self.appointment = Appointment.objects.get(pk=self.appointment.pk)
        self.appointment.outside_hours_reason = "Outside-for-a-journey"
        self.appointment.save()

    def _swap(self):
        """One appointment transferred to the other patient, and one taken over from them."""
        self.given = self._booked(self.patient, day(5), reason="Handed-over-by-mistake")
        self.given.patient, self.given.reason = self.other, "Ottoline's own"
        self.given.save()
        self.taken = self._booked(self.other, day(6), reason="Brackwater's secret")
        self.taken.patient, self.taken.reason = self.patient, "Taken-over-and-mine-now"
        self.taken.save()

    def _call_off(self):
        appointment = self._booked(self.patient, day(9))
        self.cancelled = actions.cancel(
            appointment, reason="Called-off-for-a-funeral", cancelled_by="patient", by=self.desk
        )

    def _displaced(self):
        self.displaced_appointment = self._booked(self.patient, day(10))
        open_schedule_change([self.displaced_appointment], cause="Leave", by=self.admin)
        DisplacedAppointment.objects.get(appointment=self.displaced_appointment).mark_informed(by=self.desk)

    def _booked(self, patient, start_time, **texts):
        return actions.book(
            patient=patient, doctor=self.doctor, start_time=start_time, duration_minutes=30, by=self.desk, **texts
        )

    def _close(self):
        """Use the page and leave its message unread in the session."""
        for appointment in Appointment.objects.filter(status="booked"):
            self.desk_client.post(f"/appointments/{appointment.pk}/attended/", {"version": appointment.version})

    def _in_search(self):
        """Search, which stores the query in a session, with unread messages."""
        self.desk_client.post("/patients/", {"query": "quillon zoë"})
        self.desk_client.get("/schedule/2026-11-04/print/")
        typing = signed_in(self.desk)
        typing.post("/patients/", {"query": "zoe-fea"})

    def _in_import(self):
        rows = "Quillon,Featherby,quillon.old@example.org,,\nNora,New,nora@example.org,,\n"
        file = SimpleUploadedFile("patients.csv", (CSV + rows).encode(), content_type="text/csv")
        response = self.admin_client.post("/patients/import/", {"file": file, "month_first": "day"})
        self.draft_page = response.get("Location", "")
