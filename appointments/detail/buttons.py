"""The buttons of an appointment: which actions a user can take now."""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from appointments import transitions
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
    """A button that changes the status. `name` is that of its page, `key` its keyboard shortcut.

    One that is not `is_expected` ends what should have gone on, so it is never offered as the next step.
    """

    name: str
    label: str
    key: str
    right: str
    from_statuses: frozenset[Status]
    to_status: Status
    is_expected: bool = True

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
    Action("left", "Left unseen", "l", "arrive", frozenset({Status.ARRIVED}), Status.LEFT, is_expected=False),
)


@dataclass(frozen=True, eq=False)  # compared by identity: there are few, and pages look them up often
class Buttons:
    """What a user may do now: actions, the next step of the day first; undo the last one; move or cancel.

    `step` is the one action that a narrow place offers: after a booking's time is over, that the patient did not come.
    """

    actions: tuple[Action, ...]
    can_undo: bool
    can_change: bool
    step: Action | None = None


NO_BUTTONS = Buttons((), can_undo=False, can_change=False)


def buttons_of(appointment: Appointment, rights: frozenset[str], *, at: dt.datetime) -> Buttons:
    """Return the buttons that the rules allow at `at`. Overlaps are not checked: an undo may still be refused."""
    moment = transitions.moment_of(appointment.start_time, appointment.end_time, at=at)
    return buttons_in(appointment.status, appointment.stamped, moment, rights)


# A day has hundreds of appointments, but few differ in what these depend on.
@lru_cache(maxsize=1024)
def buttons_in(status: str, stamped: Stamped, moment: transitions.Moment, rights: frozenset[str]) -> Buttons:
    actions = tuple(
        action
        for action in ACTIONS
        if action.right in rights
        and status in action.from_statuses
        and not transitions.transition_obstacle(status, action.to_status, stamped=stamped, moment=moment)
    )
    return Buttons(
        actions,
        can_undo=_can_undo(status, stamped, moment, rights),
        can_change="change" in rights and status in MOVABLE,
        step=_step(actions, moment),
    )


def _step(actions: tuple[Action, ...], moment: transitions.Moment) -> Action | None:
    missed = (action for action in actions if moment.is_over and action.to_status == Status.NO_SHOW)
    expected = (action for action in actions if action.is_expected)
    return next(missed, next(expected, None))


def _can_undo(status: str, stamped: Stamped, moment: transitions.Moment, rights: frozenset[str]) -> bool:
    earlier = undone(status, stamped)
    return (
        earlier is not None
        and undo_asks_for(status, stamped) in rights
        and not transitions.transition_obstacle(status, earlier, stamped=stamped, moment=moment)
    )
