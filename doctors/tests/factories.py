import factory

from doctors.models import Doctor


class DoctorFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Doctor

    full_name = factory.Sequence(lambda n: f"Dr Okafor {n:03}")
    specialization = "General practice"
