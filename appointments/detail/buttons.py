"""The buttons of an appointment: which actions a user can take now."""

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from django.core.exceptions import ValidationError

from appointments import rules
from appointments.permissions import undo_asks_for
from appointments.statuses import MOVABLE, Stamped, Status, undone


class Appointment(Protocol):
    """A model object, or a row of values."""

    @property
    def status(self) -> str: ...

    @property
    def start_time(self) -> dt.datetime: ...

    @property
    def end_time(self) -> dt.datetime: ...

    @property
    def stamped(self) -> Stamped: ...


@dataclass(frozen=True)
class Action:
    """A button that changes the status. `name` is that of its page, `key` its keyboard shortcut."""

    name: str
    label: str
    key: str
    right: str
    from_statuses: frozenset[Status]
    to_status: Status

    @property
    def path(self) -> str:
        """The end of the action's address, after that of the appointment."""
        return f"{self.name.replace('_', '-')}/"


ACTIONS = (
    Action("arrive", "Arrived", "a", "arrive", frozenset({Status.BOOKED, Status.NO_SHOW}), Status.ARRIVED),
    Action("start", "Start", "s", "treat", frozenset({Status.BOOKED, Status.ARRIVED}), Status.IN_CONSULTATION),
    Action("complete", "Done", "d", "treat", frozenset({Status.IN_CONSULTATION}), Status.COMPLETED),
    Action("attended", "Attended", "d", "arrive", frozenset({Status.BOOKED, Status.ARRIVED}), Status.COMPLETED),
    Action("no_show", "No-show", "n", "arrive", frozenset({Status.BOOKED}), Status.NO_SHOW),
)


def actions_on(appointment: Appointment, rights: frozenset[str], *, at: dt.datetime) -> list[Action]:
    """Return the actions that the rules allow at `at`, the next step first. Overlaps are not checked."""
    return [
        action
        for action in ACTIONS
        if action.right in rights
        and appointment.status in action.from_statuses
        and _is_allowed(appointment, action.to_status, at=at)
    ]


def can_undo(appointment: Appointment, rights: frozenset[str], *, at: dt.datetime) -> bool:
    """Return whether the last status can be undone. Whether the time is still free is only checked when it is."""
    earlier = undone(appointment.status, appointment.stamped)
    return (
        earlier is not None
        and undo_asks_for(appointment.status, appointment.stamped) in rights
        and _is_allowed(appointment, earlier, at=at)
    )


def can_change(appointment: Appointment, rights: frozenset[str]) -> bool:
    """Return whether the user can move or cancel the appointment."""
    return "change" in rights and appointment.status in MOVABLE


def _is_allowed(appointment: Appointment, status: Status, *, at: dt.datetime) -> bool:
    try:
        rules.check_transition(
            appointment.status,
            status,
            stamped=appointment.stamped,
            start_time=appointment.start_time,
            end_time=appointment.end_time,
            at=at,
        )
    except ValidationError:
        return False
    return True
