"""What the schedule keeps in memory: pages are the same with it and without it, for every role."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from appointments.booking import actions
from appointments.models import Appointment
from appointments.schedule import keeping
from appointments.schedule.keeping import MAX_VALUES, forget_all, keep
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import at
from doctors.models import Doctor
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.privacy.anonymise import anonymise
from patients.tests.factories import PatientFactory

# Inside a test's transaction nothing is kept.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("now"), pytest.mark.both_databases]

DAY = "/schedule/2026-11-25/"
BACKGROUND = {"X-Background": "1"}


@pytest.fixture(autouse=True)
def nothing_kept():
    forget_all()
    yield
    forget_all()


@pytest.fixture
def clinic_day(okafor, maria):
    """A day with leave for a private reason, a gap, hours, and appointments of two doctors."""
    lindgren = DoctorFactory(full_name="Dr Lindgren", gap_minutes=10)
    TimetableFactory(doctor=lindgren)
    LeaveFactory(doctor=okafor, start_time=at(15, day=25), end_time=at(16, day=25), reason="Own operation")
    AppointmentFactory(doctor=okafor, patient=maria, start_time=at(10, day=25), reason="Sore knee")
    AppointmentFactory(doctor=lindgren, start_time=at(11, day=25))
    return okafor


@pytest.fixture
def staff(receptionist, manager, doctor_user, administrator):
    return [receptionist, manager, doctor_user, administrator]


def day_of(client, user, url=DAY):
    client.force_login(user)
    return client.get(url, headers=BACKGROUND).content.decode()


def fresh_day_of(client, user, url=DAY):
    forget_all()
    return day_of(client, user, url)


def test_page_shows_the_same_whoever_has_opened_it_before(client, staff, clinic_day):
    fresh = {user: fresh_day_of(client, user) for user in staff}
    assert len(set(fresh.values())) == len(staff)

    for first in staff:
        for second in staff:
            forget_all()
            day_of(client, first)
            assert day_of(client, second) == fresh[second], (first, second)


def test_reason_of_a_leave_is_shown_to_administrators_and_the_doctor_only(client, staff, clinic_day):
    receptionist, manager, _doctor, administrator = staff
    day_of(client, administrator)

    shown = {user.username: "Own operation" in day_of(client, user) for user in (administrator, receptionist, manager)}

    assert shown == {administrator.username: True, receptionist.username: False, manager.username: False}


def test_manager_is_offered_no_free_times_after_a_receptionist(client, staff, clinic_day):
    receptionist, manager, *_others = staff
    assert 'class="free' in day_of(client, receptionist)

    assert 'class="free' not in day_of(client, manager)


CHANGES = {
    "booking": lambda doctor: AppointmentFactory(doctor=doctor, start_time=at(13, day=25)),
    "cancellation": lambda doctor: actions.cancel(
        Appointment.objects.get(doctor=doctor), reason="Ill", cancelled_by="patient", by=None
    ),
    "move to another day": lambda doctor: actions.move(
        Appointment.objects.get(doctor=doctor), doctor=doctor, start_time=at(9, day=26), duration_minutes=30, by=None
    ),
    "appointment over midnight": lambda doctor: AppointmentFactory(
        doctor=doctor, start_time=at(23, 45, day=24), duration_minutes=45
    ),
    "leave": lambda doctor: LeaveFactory(doctor=doctor, start_time=at(9, day=25), end_time=at(10, day=25)),
    "end of a leave": lambda doctor: doctor.leaves.first().delete(),
    "closing day": lambda doctor: ClosureFactory(date=dt.date(2026, 11, 25), name="Holiday"),
    "hours": lambda doctor: TimetableFactory(doctor=doctor),
    "gap": lambda doctor: changed(doctor, gap_minutes=30),
    "usual length": lambda doctor: changed(doctor, usual_minutes=60),
    "name of the doctor": lambda doctor: changed(doctor, full_name="Dr Corrected"),
    "name of the patient": lambda doctor: changed(
        Appointment.objects.get(doctor=doctor).patient, last_name="Corrected"
    ),
    "deactivation": lambda doctor: changed(doctor, is_active=False),
}


def changed(record, **values):
    for name, value in values.items():
        setattr(record, name, value)
    record.save()


def test_change_is_shown_by_a_process_that_keeps_the_day(client, staff, clinic_day, subtests):
    """Nobody tells a process of a change: what it keeps is found by the versions of what it was made from."""
    receptionist, *_others = staff
    for case, change in CHANGES.items():
        with subtests.test(case):
            before = day_of(client, receptionist)

            change(Doctor.objects.get(pk=clinic_day.pk))

            after = day_of(client, receptionist)
            assert after != before
            assert after == fresh_day_of(client, receptionist)
            Doctor.objects.filter(pk=clinic_day.pk).update(is_active=True)
            if not Appointment.objects.filter(doctor=clinic_day, status="booked", start_time=at(10, day=25)).exists():
                Appointment.objects.filter(doctor=clinic_day).delete()
                AppointmentFactory(doctor=clinic_day, start_time=at(10, day=25), patient=PatientFactory())
            Appointment.objects.filter(doctor=clinic_day).exclude(start_time=at(10, day=25)).delete()


def test_kept_day_of_today_follows_the_clock(client, staff, clinic_day, now):
    receptionist, *_others = staff
    today = "/schedule/2026-11-24/"
    assert ">09:05</a>" in day_of(client, receptionist, today)

    now.move_to(at(9, 5))

    later = day_of(client, receptionist, today)
    assert ">09:05</a>" not in later
    assert later == fresh_day_of(client, receptionist, today)


def test_anonymised_name_is_gone_with_the_next_refresh(client, staff, clinic_day, maria):
    receptionist, *_others = staff
    appointment = Appointment.objects.get(patient=maria)
    actions.cancel(appointment, reason="Moved away", cancelled_by="patient", by=None)
    list_url = f"{DAY}?layout=list&tab=all"
    client.force_login(receptionist)
    page = client.get(list_url, headers=BACKGROUND)
    assert ">Maria Santos<" in page.content.decode()

    anonymise(maria, by=None)

    refreshed = client.get(list_url, headers=BACKGROUND | {"If-None-Match": page["ETag"]})
    assert refreshed.status_code == 200
    assert ">Maria Santos<" not in refreshed.content.decode()


def test_withdrawn_role_shows_at_the_next_request(client, staff, clinic_day):
    receptionist, manager, *_others = staff
    assert "Santos" in day_of(client, receptionist)

    receptionist.groups.set(manager.groups.all())

    page = client.get(DAY, headers=BACKGROUND).content.decode()
    assert "Santos" not in page
    assert 'class="free' not in page


def test_nothing_about_patients_is_kept(client, staff, clinic_day):
    for user in staff:
        day_of(client, user)

    kept = repr(keeping._values)
    assert "Own operation" in kept
    for text in ("Santos", "Maria", "Sore knee", "Check-up"):
        assert text not in kept


def test_least_recently_used_values_are_dropped():
    def make(names):
        return {name: [name] for name in names}

    first = keep({"first": "first"}, make)["first"]
    for number in range(MAX_VALUES - 1):
        keep({number: number}, make)
    assert keep({"first": "first"}, make)["first"] is first

    keep({"one more": "one more"}, make)

    assert keep({"first": "first"}, make)["first"] is first
    assert len(keeping._values) == MAX_VALUES
    assert 0 not in keeping._values


def test_values_that_could_not_be_made_are_not_kept():
    def fail(names):
        raise ValidationError("No.")

    with pytest.raises(ValidationError):
        keep({"name": "key"}, fail)

    assert keep({"name": "key"}, lambda names: {"name": 1}) == {"name": 1}
