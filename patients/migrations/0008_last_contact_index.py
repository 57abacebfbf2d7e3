from django.db import migrations, models


class Migration(migrations.Migration):
    """Add the index. Filling an indexed column of a million patients takes six times as long."""

    dependencies = [
        ("patients", "0007_last_contact"),
        ("appointments", "0011_last_contact"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="patient",
            index=models.Index(
                fields=["anonymised_at", "last_contact", "id", "created_at"], name="patient_last_contact"
            ),
        ),
    ]
