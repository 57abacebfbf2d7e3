import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import clinic.core.names
from clinic.db.renamed_permissions import rename_permissions


class Migration(migrations.Migration):
    """Rename a model, whose table keeps its name, and change help texts: no table is touched."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("clinic", "0009_plain_names"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelTable("keptanswer", "clinic_keptanswer"),
        migrations.RenameModel("KeptAnswer", "StoredResponse"),
        rename_permissions("clinic", "kept answer", "stored response"),
        migrations.AlterField(
            model_name="apitoken",
            name="expires_at",
            field=models.DateTimeField(
                blank=True, help_text="Leave empty if the token should not expire.", null=True, verbose_name="expires"
            ),
        ),
        migrations.AlterField(
            model_name="apitoken",
            name="name",
            field=models.CharField(
                help_text="Name of the program that uses it.", max_length=100, validators=[clinic.core.names.check_name]
            ),
        ),
        migrations.AlterField(
            model_name="apitoken",
            name="user",
            field=models.ForeignKey(
                help_text="The program acts in this user's name and with their permissions.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="api_tokens",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
