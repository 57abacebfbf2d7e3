from django.db import migrations
from django.db.models import F, Max, OuterRef, Subquery
from django.db.models.functions import Coalesce

BATCH = 10_000


def fill(apps, schema_editor):
    """Set each patient's last contact, in batches, so that no transaction locks the whole table."""
    patients = apps.get_model("patients", "Patient").objects.order_by()
    appointments = apps.get_model("appointments", "Appointment").objects.filter(patient=OuterRef("pk"))
    last_contact = Coalesce(Subquery(appointments.order_by("-start_time").values("start_time")[:1]), F("created_at"))
    last = patients.aggregate(last=Max("pk"))["last"] or 0
    for first in range(1, last + 1, BATCH):
        patients.filter(pk__gte=first, pk__lt=first + BATCH).update(last_contact=last_contact)


class Migration(migrations.Migration):
    atomic = False  # each batch is a transaction of its own

    dependencies = [
        ("appointments", "0010_doctor_status_index"),
        ("patients", "0007_last_contact"),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
