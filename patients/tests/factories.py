import factory

from patients.models import Patient


class PatientFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Patient

    first_name = "Maria"
    last_name = factory.Sequence(lambda n: f"Santos{n}")
    email = factory.Sequence(lambda n: f"patient{n}@example.org")
    phone_number = "+351 912 345 678"
