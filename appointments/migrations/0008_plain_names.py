from django.db import migrations

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
    ]
