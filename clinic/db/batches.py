from typing import Any

from django.db.models import QuerySet

from clinic.db.transactions import retrying

DELETED_AT_ONCE = 500


def delete_in_batches(rows: QuerySet[Any]) -> int:
    """Delete rows, and those that go with them, and return the number of both.

    Each batch is a transaction of its own, so that locks are short. A row that meanwhile no longer matches stays.
    """
    total = 0
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:DELETED_AT_ONCE]):
        deleted, _by_model = retrying(rows.filter(pk__in=ids).delete)()
        total += deleted
    return total
