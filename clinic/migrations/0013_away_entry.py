from django.db import migrations

RECEPTIONIST, AWAY_ENTRY = "Receptionist", "Away entry"


def give(apps, schema_editor):
    """Give receptionists the new role; `migrate` then gives the role its permission."""
    receptionists = apps.get_model("clinic", "User").objects.filter(groups__name=RECEPTIONIST)
    if receptionists.exists():
        role, _created = apps.get_model("auth", "Group").objects.get_or_create(name=AWAY_ENTRY)
        role.user_set.add(*receptionists)


class Migration(migrations.Migration):
    dependencies = [
        ("clinic", "0012_temporary_data"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
