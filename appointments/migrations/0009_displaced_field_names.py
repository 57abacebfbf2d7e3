import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Rename fields; their columns and the constraint keep their names, so no table is touched."""

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("appointments", "0008_plain_names"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint("displacedappointment", "hit_once"),
                migrations.RenameField("displacedappointment", "impact", "change"),
                migrations.RenameField("displacedappointment", "because", "reasons"),
                migrations.RenameField("displacedappointment", "stays", "reinstated"),
                migrations.RenameField("displacedappointment", "reached_at", "informed_at"),
                migrations.RenameField("displacedappointment", "reached_by", "informed_by"),
                migrations.AlterField(
                    "displacedappointment",
                    "change",
                    models.ForeignKey(
                        db_column="impact_id",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="displaced",
                        to="appointments.schedulechange",
                    ),
                ),
                migrations.AlterField(
                    "displacedappointment",
                    "appointment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="displacements",
                        to="appointments.appointment",
                    ),
                ),
                migrations.AlterField(
                    "displacedappointment", "reasons", models.CharField(db_column="because", max_length=40)
                ),
                migrations.AlterField(
                    "displacedappointment", "reinstated", models.BooleanField(db_column="stays", default=False)
                ),
                migrations.AlterField(
                    "displacedappointment", "informed_at", models.DateTimeField(db_column="reached_at", null=True)
                ),
                migrations.AlterField(
                    "displacedappointment",
                    "informed_by",
                    models.ForeignKey(
                        db_column="reached_by_id",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AddConstraint(
                    "displacedappointment",
                    models.UniqueConstraint(fields=("change", "appointment"), name="hit_once"),
                ),
            ],
        ),
    ]
