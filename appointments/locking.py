"""Locks on diaries, and the search for overlapping appointments: docs/decisions/001-locking.md."""

import datetime as dt
from collections.abc import Iterable, Iterator

from django.db import models
from django.db.models.functions import Greatest

from appointments import rules
from clinic.core.field_errors import at_field
from doctors.models import Doctor
from patients.models import Patient
from patients.rules import check_not_anonymised


def lock_diaries(
    *, doctor_ids: Iterable[int], patient_ids: Iterable[int], start_time: dt.datetime | None = None
) -> None:
    """Make every other writer of these diaries wait until this transaction ends.

    `start_time` is that of an appointment of the patients about to be saved: `last_contact` becomes no earlier.
    Locks: the doctors' rows in order of their ids, then the patients'. Raises: `gone`, `anonymised`, by field.
    """
    contact = {} if start_time is None else {"last_contact": Greatest("last_contact", start_time)}
    # The lock is a write: nodes of a cluster notice each other only by rows that both have changed.
    for field, diaries, ids, values in (
        ("doctor", Doctor.objects.all(), doctor_ids, {}),
        ("patient", Patient.objects.not_anonymised(), patient_ids, contact),
    ):
        for pk in sorted(set(ids)):
            if not diaries.filter(pk=pk).update(diary_version=models.F("diary_version") + 1, **values):
                with at_field(field):
                    if field == "patient":
                        row = Patient.objects.filter(pk=pk).order_by()
                        check_not_anonymised(row.values_list("anonymised_at", flat=True).first())
                    rules.refuse_gone(field)


def lock_patients(patient_ids: Iterable[int]) -> None:
    """Lock the patients' rows in order of their ids, those of anonymised patients included, without a check."""
    for pk in sorted(set(patient_ids)):
        Patient.objects.filter(pk=pk).update(diary_version=models.F("diary_version") + 1)


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
