"""The clinic of the browser tests: Tuesday 24 November 2026, ten o'clock."""

import datetime as dt
from types import SimpleNamespace

from appointments.displaced.finder import open_schedule_change
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.tests.factories import PatientFactory

YESTERDAY, TODAY, TOMORROW, THURSDAY = (dt.date(2026, 11, day) for day in (23, 24, 25, 26))


def at(time, day=TODAY):
    """Return the instant of a clinic-local time in winter, "HH:MM"."""
    return dt.datetime.combine(day, dt.time.fromisoformat(time), tzinfo=dt.UTC)


def open_clinic(doctor_user):
    """Return the doctors and patients by last name, and the appointments by their purpose in the tests.

    Ferreira and Okafor see general patients, Lindqvist sees hearts; Ferreira has a login.

    Today  Ferreira                Okafor                Lindqvist
     9:00  Santos, completed       Kovács, overdue
     9:30  Müller, in_consultation Woźniak, no_show
    10:00  Kovács, arrived         Haddad, cancelled
    10:30  Santos, booked          Müller, due
    11:00  Brown, later
    Tomorrow at 9:00 Woźniak sees Ferreira; on Thursday at 14:00 Santos sees Lindqvist, who has hours, and leave in
    December. The clinic is closed on Christmas Day. The worklist is of yesterday.
    """
    doctors = SimpleNamespace(
        ferreira=DoctorFactory(full_name="Dr Ana Ferreira", user=doctor_user),
        okafor=DoctorFactory(full_name="Dr James Okafor"),
        lindqvist=DoctorFactory(full_name="Dr Ingrid Lindqvist", specialization="Cardiology"),
    )
    patients = SimpleNamespace(
        santos=_patient("Maria", "Santos", "1984-03-09", "+351 912 345 001"),
        muller=_patient("Zoë", "Müller", "1991-07-30", "+351 912 345 002"),
        kovacs=_patient("István", "Kovács", "1958-12-02", "+351 912 345 003"),
        wozniak=_patient("Łucja", "Woźniak", "2015-05-17", "+351 912 345 004"),
        haddad=_patient("سمير", "حداد", "1977-01-21", "+351 912 345 005", email="samir.haddad@example.org"),
        brown=_patient("Olive", "Brown", None, ""),
    )
    appointments = _appointments(doctors, patients)
    whole_day = [(dt.time(8), dt.time(18))]
    times = {
        "timetable": TimetableFactory(doctor=doctors.lindqvist, week=dict.fromkeys(range(5), whole_day)),
        "leave": LeaveFactory(doctor=doctors.lindqvist),
        "closure": ClosureFactory(),
        "worklist": open_schedule_change([appointments["unclosed"]], cause="Dr James Okafor on leave: Ill", by=None),
    }
    return SimpleNamespace(doctors=doctors, patients=patients, **appointments, **times)


def _patient(first_name, last_name, born, phone_number, email=None):
    return PatientFactory(
        first_name=first_name,
        last_name=last_name,
        email=email or f"{first_name}.{last_name}@example.org".encode("ascii", "ignore").decode(),
        phone_number=phone_number,
        date_of_birth=born and dt.date.fromisoformat(born),
    )


def _appointments(doctors, patients):
    ferreira, okafor = doctors.ferreira, doctors.okafor
    return {
        "completed": _appointment(
            patients.santos, ferreira, at("09:00"), Status.COMPLETED, arrived_at=at("08:55"), started_at=at("09:02"),
            completed_at=at("09:24"), reason="Blood pressure",
        ),
        "in_consultation": _appointment(
            patients.muller, ferreira, at("09:30"), Status.IN_CONSULTATION, arrived_at=at("09:21"),
            started_at=at("09:41"), reason="Follow-up",
        ),
        "arrived": _appointment(patients.kovacs, ferreira, at("10:00"), Status.ARRIVED, arrived_at=at("09:48")),
        "booked": _appointment(patients.santos, ferreira, at("10:30"), reason="Results"),
        "later": _appointment(patients.brown, ferreira, at("11:00")),
        "overdue": _appointment(patients.kovacs, okafor, at("09:00")),
        "no_show": _appointment(patients.wozniak, okafor, at("09:30"), Status.NO_SHOW),
        "cancelled": _appointment(
            patients.haddad, okafor, at("10:00"), Status.CANCELLED, cancelled_at=at("08:10"), cancelled_by="patient",
            cancel_reason="Has to work",
        ),
        "due": _appointment(patients.muller, okafor, at("10:30"), reason="Vaccination"),
        "unclosed": _appointment(patients.brown, okafor, at("15:00", YESTERDAY)),
        "tomorrow": _appointment(patients.wozniak, ferreira, at("09:00", TOMORROW)),
        "thursday": _appointment(patients.santos, doctors.lindqvist, at("14:00", THURSDAY), duration_minutes=45),
    }  # fmt: skip


def _appointment(patient, doctor, start_time, status=Status.BOOKED, **details):
    return AppointmentFactory(patient=patient, doctor=doctor, start_time=start_time, status=status, **details)
