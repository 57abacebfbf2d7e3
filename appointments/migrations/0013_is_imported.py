from django.db import migrations, models

TRIGGERS = ("appointment_overlap_insert", "appointment_overlap_update")


class Migration(migrations.Migration):
    dependencies = [("appointments", "0012_day_version")]

    operations = [
        migrations.AddField(
            "appointment",
            "is_imported",
            models.BooleanField(db_default=False, default=False, editable=False, verbose_name="imported"),
        ),
        # The triggers, made after migrate, read the column: without it nothing could be booked.
        migrations.RunSQL(
            migrations.RunSQL.noop, reverse_sql=[f"DROP TRIGGER IF EXISTS {trigger}" for trigger in TRIGGERS]
        ),
    ]
