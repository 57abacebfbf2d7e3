from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0003_anonymised"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="patient",
            options={
                "ordering": ["name_key", "pk"],
                "permissions": [
                    ("view_own_patient", "Can view patients who have an appointment with the user"),
                    ("import_patient", "Can import patients from a file"),
                    ("export_patient", "Can export all patients to a file"),
                    ("anonymise_patient", "Can permanently anonymise patients"),
                ],
            },
        ),
    ]
