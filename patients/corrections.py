"""What other apps do when a patient's record changes: they register it in `AppConfig.ready()`."""

from collections.abc import Callable

_listeners: list[Callable[[int], None]] = []


def register(listener: Callable[[int], None]) -> None:
    """Have a function called with the patient's id, in the transaction of the change, after the record is written."""
    _listeners.append(listener)


def record_changed(patient_id: int) -> None:
    for listener in _listeners:
        listener(patient_id)
