from django.db import migrations, models

import clinic.db.constraints

STATUSES = [
    ("booked", "Booked"),
    ("arrived", "Arrived"),
    ("in_consultation", "In consultation"),
    ("completed", "Completed"),
    ("no_show", "No-show"),
    ("left", "Left unseen"),
    ("cancelled", "Cancelled"),
]


class Migration(migrations.Migration):
    """Going back is refused by the database as long as an appointment is `left`, since no older status says that."""

    dependencies = [("appointments", "0013_is_imported")]

    operations = [
        migrations.RemoveConstraint("appointment", "appointment_status"),
        migrations.AddField(
            "appointment",
            "is_walk_in",
            models.BooleanField(db_default=False, default=False, editable=False, verbose_name="walk-in"),
        ),
        migrations.AddField("appointment", "left_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AlterField(
            "appointment", "status", models.CharField(choices=STATUSES, default="booked", max_length=20)
        ),
        migrations.AddConstraint(
            "appointment",
            clinic.db.constraints.CheckConstraintWithoutValidation(
                condition=models.Q(status__in=[value for value, _label in STATUSES]), name="appointment_status"
            ),
        ),
    ]
