import factory
from django.contrib.auth.models import Group

from clinic.models import User


class UserFactory(factory.django.DjangoModelFactory):
    """A user; `UserFactory(role="Receptionist")` puts the user into the group that `migrate` made."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    password = factory.django.Password("demo-clinic-2026")

    @factory.post_generation
    def role(user, create, name, **kwargs):
        if name:
            user.groups.add(Group.objects.get(name=name))
