"""Which appointments a change of availability displaces. The appointments app registers a finder when Django starts."""

from collections.abc import Iterable
from typing import Any, Protocol

from doctors.availability_change import AvailabilityChange
from doctors.models import AvailabilityRecord, Doctor
from doctors.querysets import DoctorQuerySet

MAX_NAMED = 100


class DisplacementFinder(Protocol):
    def displaced_by(self, change: AvailabilityChange) -> list[Any]: ...

    def record_displaced_read(self, appointments: list[Any]) -> None: ...

    def is_begun(self, worklist_id: int) -> bool: ...

    def follow_up(self, appointments: Iterable[Any], *, cause: str, doctors: DoctorQuerySet, by: Any) -> Any: ...


_finders: list[DisplacementFinder] = []


def register(finder: DisplacementFinder) -> None:
    _finders[:] = [finder]


def _finder() -> DisplacementFinder:
    return _finders[0]


def displaced_by_saving(*records: AvailabilityRecord | Doctor) -> list[Any]:
    """Return the appointments that no longer fit once the records are saved, soonest first.

    Locks the doctors' diaries until the caller's transaction ends. Raises LostRace if they can no longer be saved.
    """
    return _finder().displaced_by(AvailabilityChange(saved=records))


def displaced_by_deleting(record: AvailabilityRecord) -> list[Any]:
    """Return the appointments that no longer fit once the record is deleted; as `displaced_by_saving`."""
    return _finder().displaced_by(AvailabilityChange(deleted=[record]))


def named_appointments(displaced: list[Any]) -> list[Any]:
    """Return those that a page lists with their patients' names."""
    return displaced[:MAX_NAMED]


def record_displaced_read(appointments: list[Any]) -> None:
    """Record that these appointments' patients were shown. Call it outside a transaction that is rolled back."""
    _finder().record_displaced_read(appointments)


def is_begun(worklist_id: int) -> bool:
    """Return whether an appointment of this worklist was moved, cancelled or has taken place, or a patient informed."""
    return _finder().is_begun(worklist_id)


def follow_up(appointments: Iterable[Any], *, cause: str, doctors: DoctorQuerySet, by: Any) -> Any:
    """Update the worklists after a change of these doctors' availability.

    Return the worklist of the appointments it displaced, which has an address, or None if there are none.
    """
    return _finder().follow_up(appointments, cause=cause, doctors=doctors, by=by)
