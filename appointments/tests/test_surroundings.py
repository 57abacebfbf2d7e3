"""What is around an appointment in the diaries, next to what the rules say of the same diaries."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from appointments import rules
from appointments.models import Appointment
from appointments.models.diary_query import surroundings_of
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from doctors.availability_loader import load_doctor_availability
from doctors.models import Doctor
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory

pytestmark = [pytest.mark.usefixtures("db", "now"), pytest.mark.both_databases]

GAPS = (0, 10)
MINUTES = (15, 180)
STEP = dt.timedelta(minutes=5)
CALLED_OFF = {"cancelled_by": "patient", "cancel_reason": "Ill"}


def passes(check, *args, **kwargs):
    try:
        check(*args, **kwargs)
    except ValidationError:
        return False
    return True


@pytest.fixture
def busy(maria):
    """Doctors with a booked morning, a leave until 12:00, and a closing day; one without hours."""
    doctors = [DoctorFactory(gap_minutes=gap) for gap in GAPS]
    for doctor in doctors:
        TimetableFactory(doctor=doctor)
        AppointmentFactory(doctor=doctor, start_time=at(9, day=25))
        AppointmentFactory(doctor=doctor, start_time=at(10, 30, day=25), status="cancelled", **CALLED_OFF)
        LeaveFactory(doctor=doctor, start_time=at(11, day=25), end_time=at(12, day=25))
    AppointmentFactory(patient=maria, start_time=at(10, day=25))
    ClosureFactory(date=dt.date(2026, 11, 26))
    return [*doctors, DoctorFactory()]


def test_surroundings_agree_with_each_rule_at_every_time(busy, maria):
    times = [at(7, day=25) + number * STEP for number in range(12 * 6)]
    times += [at(16, day=25), at(17, day=25), at(22, day=25), at(23, 45, day=25), at(9, day=26)]

    answers = {
        (start, doctor.pk, minutes): both(doctor, maria, start, minutes)
        for start in times
        for doctor in busy
        for minutes in MINUTES
    }

    assert {case: pair for case, pair in answers.items() if pair[0] != pair[1]} == {}
    assert len(set(answers.values())) > 6  # the diaries are such that each may be free or not


def both(doctor, patient, start, minutes):
    """Return whether doctor is available, doctor is free and patient is free, by the query and by the rules."""
    end = start + dt.timedelta(minutes=minutes)
    around = surroundings_of(Appointment(doctor=doctor, patient=patient, start_time=start, end_time=end))
    time = load_doctor_availability(doctor.pk, start, end)
    diary = Appointment.objects.for_doctor(doctor.pk)
    return (around.is_doctor_available, around.is_doctor_free, around.is_patient_free), (
        passes(rules.check_open, time, start, end, doctor=doctor),
        passes(rules.check_doctor_free, diary, start, end)
        and passes(rules.check_gap_kept, diary, start, end, doctor=doctor),
        passes(rules.check_patient_free, Appointment.objects.for_patient(patient.pk), start, end),
    )


def test_appointment_is_not_in_its_own_way(busy):
    appointment = Appointment.objects.get(doctor=busy[1], status="booked")

    around = surroundings_of(appointment)

    assert around.is_doctor_free
    assert around.is_patient_free


def test_surroundings_have_the_doctor_as_the_row_is_now(busy, maria):
    doctor = busy[0]
    Doctor.objects.filter(pk=doctor.pk).update(is_active=False, gap_minutes=20, full_name="Dr Renamed")

    around = surroundings_of(Appointment(doctor=doctor, patient=maria, start_time=at(15), end_time=at(15, 30)))

    assert (str(around.doctor), around.doctor.is_active, around.doctor.gap_minutes) == ("Dr Renamed", False, 20)
    assert not around.is_doctor_free  # the rules have to look, because a shorter gap was searched


def test_deleted_doctor_has_no_surroundings(maria):
    doctor = DoctorFactory()
    Doctor.objects.filter(pk=doctor.pk).delete()

    appointment = Appointment(doctor=doctor, patient=maria, start_time=at(15), end_time=at(15, 30))

    assert surroundings_of(appointment) is None
    with pytest.raises(ValidationError) as refused:
        appointment.full_clean(exclude={"doctor"})
    assert [error.code for error in refused.value.error_dict["doctor"]] == ["gone"]
