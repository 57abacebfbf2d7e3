from django.db import migrations, models


class Migration(migrations.Migration):
    """Rename fields; their columns keep their names, so no table is touched."""

    dependencies = [("clinic", "0010_stored_response")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("importdraft", "said", "details"),
                migrations.AlterField("importdraft", "details", models.JSONField(db_column="said", default=dict)),
                migrations.RenameField("importrow", "like", "similar_id"),
                migrations.AlterField("importrow", "similar_id", models.BigIntegerField(db_column="like", null=True)),
            ],
        ),
    ]
