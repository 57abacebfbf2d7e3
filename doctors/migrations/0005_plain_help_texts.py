from django.db import migrations, models

import clinic.core.appointment_length
import doctors.rules


class Migration(migrations.Migration):
    dependencies = [
        ("doctors", "0004_leave_reason_private"),
    ]

    operations = [
        migrations.AlterField(
            model_name="closure",
            name="name",
            field=models.CharField(help_text="Shown in the schedule.", max_length=100),
        ),
        migrations.AlterField(
            model_name="doctor",
            name="gap_minutes",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="Left free after each appointment.",
                validators=[doctors.rules.check_gap_minutes],
                verbose_name="gap in minutes",
            ),
        ),
        migrations.AlterField(
            model_name="doctor",
            name="usual_minutes",
            field=models.PositiveSmallIntegerField(
                default=30,
                help_text="For appointments booked without a length.",
                validators=[clinic.core.appointment_length.check_duration],
                verbose_name="usual length in minutes",
            ),
        ),
        migrations.AlterField(
            model_name="leave",
            name="reason",
            field=models.CharField(help_text="Visible to administrators and the doctor.", max_length=100),
        ),
        migrations.AlterField(
            model_name="timetable",
            name="valid_from",
            field=models.DateField(
                blank=True, help_text="Leave empty for no first date.", null=True, verbose_name="from"
            ),
        ),
        migrations.AlterField(
            model_name="timetable",
            name="valid_until",
            field=models.DateField(
                blank=True, help_text="Leave empty for until further notice.", null=True, verbose_name="until"
            ),
        ),
        migrations.AlterField(
            model_name="workinghours",
            name="end",
            field=models.TimeField(help_text="00:00 is the following midnight."),
        ),
    ]
