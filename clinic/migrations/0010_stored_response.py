from django.db import migrations

from clinic.db.renamed_permissions import rename_permissions


class Migration(migrations.Migration):
    """Rename a model; its table keeps its name, so no table is touched."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("clinic", "0009_plain_names"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelTable("keptanswer", "clinic_keptanswer"),
        migrations.RenameModel("KeptAnswer", "StoredResponse"),
        rename_permissions("clinic", "kept answer", "stored response"),
    ]
