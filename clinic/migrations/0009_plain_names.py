from django.db import migrations

from clinic.db.renamed_permissions import rename_permissions


class Migration(migrations.Migration):
    """Rename a model; its table keeps its name, so no table is touched."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("clinic", "0008_sessions"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelTable("keptform", "clinic_keptform"),
        migrations.RenameModel("KeptForm", "SavedForm"),
        rename_permissions("clinic", "kept form", "saved form"),
    ]
