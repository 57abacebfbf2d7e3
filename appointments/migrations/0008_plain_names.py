from django.db import migrations, models

from clinic.db.renamed_permissions import rename_permissions


class Migration(migrations.Migration):
    """Rename models; their tables keep their names, so no table is touched."""

    dependencies = [
        ("appointments", "0007_emergency_access"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("clinic", "0008_sessions"),  # one before it still reads the old names
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelTable("impact", "appointments_impact"),
        migrations.RenameModel("Impact", "ScheduleChange"),
        rename_permissions("appointments", "impact", "schedule change"),
        migrations.AlterModelTable("hit", "appointments_hit"),
        migrations.RenameModel("Hit", "DisplacedAppointment"),
        rename_permissions("appointments", "hit", "displaced appointment"),
        migrations.AlterField(
            "appointment",
            "outside_hours_reason",
            models.CharField(
                blank=True,
                help_text="If booked outside hours, during leave, on a closing day, or in a gap.",
                max_length=200,
                verbose_name="reason for the exception",
            ),
        ),
        migrations.AlterField(
            "appointment", "reason", models.CharField(blank=True, help_text="Shown in the schedule.", max_length=200)
        ),
    ]
