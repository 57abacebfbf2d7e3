"""What somebody may do with an appointment now: the buttons on its page, in the day view and in the lists."""

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from django.core.exceptions import ValidationError

from appointments import rules
from appointments.permissions import undo_asks_for
from appointments.statuses import MOVABLE, Stamped, Status, undone


class Appointment(Protocol):
    """An appointment as far as its actions depend on it: a record, or a row that was read of one."""

    @property
    def status(self) -> str:
        """Where the appointment stands."""
        ...

    @property
    def start_time(self) -> dt.datetime:
        """When it begins."""
        ...

    @property
    def end_time(self) -> dt.datetime:
        """When it ends."""
        ...

    @property
    def stamped(self) -> Stamped:
        """Which steps it has a time for."""
        ...


@dataclass(frozen=True)
class Action:
    """A button: its key, the right it asks for, and the statuses it leads from and to."""

    verb: str
    label: str
    key: str
    right: str
    leads_from: frozenset[Status]
    leads_to: Status

    @property
    def path(self) -> str:
        """What follows the address of the appointment in that of the action."""
        return f"{self.verb.replace('_', '-')}/"


ACTIONS = (
    Action("arrive", "Arrived", "a", "arrive", frozenset({Status.BOOKED, Status.NO_SHOW}), Status.ARRIVED),
    Action("start", "Start", "s", "treat", frozenset({Status.BOOKED, Status.ARRIVED}), Status.IN_CONSULTATION),
    Action("complete", "Done", "d", "treat", frozenset({Status.IN_CONSULTATION}), Status.COMPLETED),
    Action("attended", "Attended", "d", "arrive", frozenset({Status.BOOKED, Status.ARRIVED}), Status.COMPLETED),
    Action("no_show", "No-show", "n", "arrive", frozenset({Status.BOOKED}), Status.NO_SHOW),
)


def actions_on(appointment: Appointment, rights: frozenset[str], *, at: dt.datetime) -> list[Action]:
    """Return the actions that lead on and would pass at `at`, as far as the clock tells, the next step first."""
    return [
        action
        for action in ACTIONS
        if action.right in rights
        and appointment.status in action.leads_from
        and _would_pass(appointment, action.leads_to, at=at)
    ]


def can_undo(appointment: Appointment, rights: frozenset[str], *, at: dt.datetime) -> bool:
    """Return whether the last status may be taken back; a time that was given away meanwhile shows only then."""
    earlier = undone(appointment.status, appointment.stamped)
    return (
        earlier is not None
        and undo_asks_for(appointment.status, appointment.stamped) in rights
        and _would_pass(appointment, earlier, at=at)
    )


def can_change(appointment: Appointment, rights: frozenset[str]) -> bool:
    """Return whether the appointment may be moved or cancelled."""
    return "change" in rights and appointment.status in MOVABLE


def _would_pass(appointment: Appointment, status: Status, *, at: dt.datetime) -> bool:
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
