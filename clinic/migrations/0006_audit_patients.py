"""Say of the entries from before whose data they hold, where a record still tells."""

from django.db import migrations
from django.db.models import F, OuterRef, QuerySet, Subquery


def fill(apps, schema_editor):
    entries = QuerySet(apps.get_model("clinic", "AuditEntry")).filter(patient_id=None)
    Appointment = apps.get_model("appointments", "Appointment")
    Hit = apps.get_model("appointments", "Hit")
    owners = {
        ("patients", "patient"): F("object_id"),
        ("appointments", "appointment"): QuerySet(Appointment)
        .filter(pk=OuterRef("object_id"))
        .values("patient_id")[:1],
        ("appointments", "hit"): QuerySet(Hit).filter(pk=OuterRef("object_id")).values("appointment__patient_id")[:1],
    }
    ContentType = apps.get_model("contenttypes", "ContentType")
    for (app, model), owner in owners.items():
        for kind in ContentType.objects.filter(app_label=app, model=model):
            value = Subquery(owner) if isinstance(owner, QuerySet) else owner
            entries.filter(content_type_id=kind.pk).order_by().update(patient_id=value)


class Migration(migrations.Migration):
    dependencies = [
        ("clinic", "0005_audit_reads"),
        ("patients", "0001_initial"),
        ("appointments", "0004_impact"),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
