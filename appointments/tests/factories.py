import datetime as dt

import factory

from appointments.models import Appointment
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory


class AppointmentFactory(factory.django.DjangoModelFactory):
    """An appointment of 30 minutes; `save()` locks and checks, but accepts a start in the past."""

    class Meta:
        model = Appointment

    patient = factory.SubFactory(PatientFactory)
    doctor = factory.SubFactory(DoctorFactory)
    start_time = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)
    duration_minutes = 30
