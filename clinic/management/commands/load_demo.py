import datetime as dt
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.utils import timezone

from appointments.models import Appointment
from clinic.accounts.roles import ADMINISTRATOR, AWAY_ENTRY, DOCTOR, MANAGER, RECEPTIONIST
from clinic.audit.actor import acting
from clinic.core import clinic_time
from clinic.demo.plan import DemoDoctor, Plan, plan_clinic
from clinic.models import User
from doctors.availability import Week
from doctors.models import Doctor, Timetable
from patients.models import Patient

# Public on purpose; created only with DEBUG on.
PASSWORD = "demo-clinic-2026"  # noqa: S105  # nosec B105

# Login, role, first and last name.
USERS = (
    ("reception", RECEPTIONIST, "Joana", "Reis"),
    ("manager", MANAGER, "Miguel", "Tavares"),
    ("doctor", DOCTOR, "Amara", "Okafor"),
    ("admin", ADMINISTRATOR, "Helena", "Duarte"),
)


class Command(BaseCommand):
    """Create doctors, patients, six weeks of diaries around now, and a user of each role; all or nothing."""

    help = "Fill an empty database with a believable clinic to try the portal with. Needs DEBUG=on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--if-empty", action="store_true", help="do nothing, without an error, if the database is not empty"
        )

    def handle(self, *args: Any, if_empty: bool, **options: Any) -> None:
        """Create the demo clinic as of now. CommandError with DEBUG off, without tables, or if it is not empty."""
        if not settings.DEBUG:
            raise CommandError(
                "DEBUG is off. The demo's logins have a published password, so they are made only on a machine for "
                "trying things out: set DEBUG=on there."
            )
        check_migrated()
        with transaction.atomic():
            if existing := existing_records():
                if if_empty:
                    self.stdout.write(f"The database already has {existing}: no demo clinic created.")
                    return
                raise CommandError(
                    f"The database already has {existing}. Choose another one with DATABASE_URL, or empty this one "
                    "with `manage.py reset_database`. With --if-empty this is not an error."
                )
            self.stdout.write("Creating the demo clinic takes a few seconds …")
            plan = plan_clinic(at=timezone.now())
            write_clinic(plan)
        self._report(plan)

    def _report(self, plan: Plan) -> None:
        appointments = f"{len(plan.appointments)} appointments"
        created = f"{len(plan.doctors)} doctors, {len(plan.patients)} patients and {appointments}"
        self.stdout.write(self.style.SUCCESS(f"Created {created}. Sign in as:"))
        row = "  {:<10} {:<17} {:<14} {}".format
        self.stdout.write(row("user", "password", "role", "name"))
        for username, role, first_name, last_name in USERS:
            self.stdout.write(row(username, PASSWORD, role, f"{first_name} {last_name}"))


def check_migrated() -> None:
    existing = set(connection.introspection.table_names())
    if any(model._meta.db_table not in existing for model in (User, Doctor, Patient, Appointment)):
        raise CommandError("The database has no tables yet. Run `manage.py migrate` first.")


def existing_records() -> str:
    """Return the numbers of existing users, doctors, patients and appointments as text; empty if none."""
    counts = ((model.objects.count(), model._meta) for model in (User, Doctor, Patient, Appointment))
    return ", ".join(
        f"{count} {meta.verbose_name if count == 1 else meta.verbose_name_plural}" for count, meta in counts if count
    )


def write_clinic(plan: Plan) -> None:
    """Save the planned clinic and the demo's users; the receptionist is the actor in the audit trail."""
    users = write_users()
    receptionist = users[USERS[0][0]]
    with acting(by=receptionist):
        doctors = [
            Doctor(
                full_name=planned.full_name,
                specialization=planned.specialization,
                usual_minutes=planned.usual_minutes,
            )
            for planned in plan.doctors
        ]
        doctors[0].user = users["doctor"]
        for doctor, planned in zip(doctors, plan.doctors, strict=True):
            doctor.save()
            write_hours(doctor, planned, today=clinic_time.today())
        # Read again: MySQL, unlike MariaDB and SQLite, does not hand back the ids of a bulk insert.
        Patient.objects.bulk_create([Patient(**asdict(planned)) for planned in plan.patients])
        by_email = {patient.email: patient for patient in Patient.objects.all()}
        patients = [by_email[planned.email] for planned in plan.patients]
        for appointment in plan.appointments:
            people = {
                "doctor": doctors[appointment.doctor],
                "patient": patients[appointment.patient],
                "booked_by": receptionist,
            }
            Appointment(**(asdict(appointment) | people)).save()


def write_hours(doctor: Doctor, planned: DemoDoctor, *, today: dt.date) -> None:
    """Save a doctor's weekly hours, and hours today even on a day off, as planned."""
    parts: list[tuple[dt.date | None, dt.date | None, Week]]
    week = dict.fromkeys(sorted(planned.weekdays), planned.hours)
    if today.weekday() in planned.weekdays:
        parts = [(None, None, week)]
    else:
        one_day = dt.timedelta(days=1)
        only_today = {today.weekday(): planned.hours}
        parts = [(None, today - one_day, week), (today, today, only_today), (today + one_day, None, week)]
    for valid_from, valid_until, hours in parts:
        timetable = Timetable(doctor=doctor, valid_from=valid_from, valid_until=valid_until)
        timetable.week = hours
        timetable.save()


def write_users() -> dict[str, User]:
    """Save a user of each role. They share one hash, because hashing is slow by design."""
    password = make_password(PASSWORD)
    users = {}
    for username, role, first_name, last_name in USERS:
        user = User(username=username, first_name=first_name, last_name=last_name, password=password)
        user.email = f"{first_name}.{last_name}@example.org".lower()
        user.save()
        roles = {role, AWAY_ENTRY} if role == RECEPTIONIST else {role}
        user.groups.add(*Group.objects.filter(name__in=roles))
        users[username] = user
    return users
