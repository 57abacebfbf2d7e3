from django.db import migrations, transaction

from patients.search_keys import name_pairs

BATCH = 2000


def fill(apps, schema_editor):
    """Write the pairs of all patients, one batch of patients after the other. Can be run again after it was ended."""
    patient_model, pair_model = apps.get_model("patients", "Patient"), apps.get_model("patients", "NamePair")
    database = schema_editor.connection.alias
    patients = patient_model.objects.using(database).filter(anonymised_at=None).order_by("pk")
    last = 0
    while batch := list(patients.filter(pk__gt=last).values_list("pk", "first_name", "last_name")[:BATCH]):
        pairs = [
            pair_model(patient_id=pk, key=key, others=others)
            for pk, first_name, last_name in batch
            for key, others in name_pairs(first_name, last_name)
        ]
        with transaction.atomic(using=database):
            pair_model.objects.using(database).filter(patient_id__gt=last, patient_id__lte=batch[-1][0]).delete()
            pair_model.objects.using(database).bulk_create(pairs, batch_size=5000)
        last = batch[-1][0]


class Migration(migrations.Migration):
    atomic = False  # each batch is, so that a million patients are not one transaction

    dependencies = [("patients", "0005_name_pairs")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
