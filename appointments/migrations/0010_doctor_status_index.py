from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("appointments", "0009_displaced_field_names")]

    operations = [
        migrations.AddIndex(
            "appointment",
            models.Index(fields=["doctor", "status", "start_time"], name="appointment_doctor_status"),
        ),
    ]
