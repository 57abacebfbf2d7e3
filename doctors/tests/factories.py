import datetime as dt

import factory

from doctors.models import Closure, Doctor, Leave, Timetable


class DoctorFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Doctor

    full_name = factory.Sequence(lambda n: f"Dr Okafor {n:03}")
    specialization = "General practice"


class TimetableFactory(factory.django.DjangoModelFactory):
    """Monday to Friday, 08:00 to 12:00 and 13:00 to 17:00, unless another `week` is given."""

    class Meta:
        model = Timetable

    doctor = factory.SubFactory(DoctorFactory)
    week = factory.LazyFunction(
        lambda: {day: [(dt.time(8), dt.time(12)), (dt.time(13), dt.time(17))] for day in range(5)}
    )


class LeaveFactory(factory.django.DjangoModelFactory):
    """Thursday 10 December 2026, the whole day of a clinic in Lisbon."""

    class Meta:
        model = Leave

    doctor = factory.SubFactory(DoctorFactory)
    start_time = dt.datetime(2026, 12, 10, tzinfo=dt.UTC)
    end_time = dt.datetime(2026, 12, 11, tzinfo=dt.UTC)
    reason = "Training"


class ClosureFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Closure

    date = dt.date(2026, 12, 25)
    name = "Christmas Day"
