import datetime as dt

from django.db import migrations

import clinic.db.fields


class Migration(migrations.Migration):
    """Add the column. `appointments.0011_last_contact` fills it, and then 0008 adds the index."""

    dependencies = [
        ("patients", "0006_fill_name_pairs"),
    ]

    operations = [
        migrations.AddField(
            model_name="patient",
            name="last_contact",
            field=clinic.db.fields.DerivedDateTimeField(
                begins_as="created_at", default=dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
            ),
            preserve_default=False,
        ),
    ]
