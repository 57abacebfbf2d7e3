"""Locks on diaries, and the search for overlapping appointments: docs/decisions/001-locking.md."""

import datetime as dt
from collections.abc import Iterable, Iterator

from django.db import models

from appointments import rules
from clinic.core.field_errors import at_field
from doctors.models import Doctor
from patients.models import Patient
from patients.rules import check_not_anonymised


def lock_diaries(*, doctor_ids: Iterable[int], patient_ids: Iterable[int]) -> None:
    """Make every other writer of these diaries wait until this transaction ends.

    Locks: the doctors' rows in order of their ids, then the patients'. Raises: `gone`, `anonymised`, by field.
    """
    # The lock is a write: nodes of a cluster notice each other only by rows that both have changed.
    for field, diaries, ids in (
        ("doctor", Doctor.objects.all(), doctor_ids),
        ("patient", Patient.objects.not_anonymised(), patient_ids),
    ):
        for pk in sorted(set(ids)):
            if not diaries.filter(pk=pk).update(diary_version=models.F("diary_version") + 1):
                with at_field(field):
                    if field == "patient":
                        row = Patient.objects.filter(pk=pk).order_by()
                        check_not_anonymised(row.values_list("anonymised_at", flat=True).first())
                    rules.refuse_gone(field)


def overlapping_pairs(
    rows: Iterable[tuple[int, int, dt.datetime, dt.datetime]],
) -> Iterator[tuple[int, int, int]]:
    """Yield `(diary, earlier, later)` for every two rows of one diary that share time.

    `rows` are `(diary, appointment, start, end)`, in order of diary and start; they are read once.
    """
    diary: int | None = None
    running: list[tuple[int, dt.datetime]] = []
    for row_diary, pk, start, end in rows:
        if row_diary != diary:
            diary, running = row_diary, []
        running = [(other, other_end) for other, other_end in running if other_end > start]
        for other, _other_end in running:
            yield row_diary, other, pk
        running.append((pk, end))
