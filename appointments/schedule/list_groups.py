"""The groups of the list layout: today's appointments by what is to be done next, other days in order of time."""

from collections import defaultdict
from typing import NamedTuple

from appointments.schedule.blocks import Block
from appointments.schedule.day import Day
from appointments.statuses import Status
from clinic.core import clinic_time
from clinic.core.clinic_time import HOUR, MINUTE

_HOUR = HOUR // MINUTE

# In the order of the page.
_TITLES = {
    "waiting": "Waiting now",
    "open": "No outcome yet",
    "late": "Late",
    "next": "Next hour",
    "later": "Later",
    "in_consultation": "In consultation",
    "done": "Done",
    "cancelled": "Cancelled",
}
_BY_STATUS = {Status.ARRIVED: "waiting", Status.IN_CONSULTATION: "in_consultation", Status.CANCELLED: "cancelled"}


class ListGroup(NamedTuple):
    """Appointments under one heading; `title` is empty for those of another day than today. `note` explains it."""

    name: str
    title: str
    note: str
    blocks: list[Block]


def groups_of(day: Day, listed: list[Block]) -> list[ListGroup]:
    """Return the groups that are not empty. Appointments are in order of time, and those waiting the longest first."""
    if day.date != clinic_time.today(at=day.at):
        return [ListGroup("all", "", "", listed)] if listed else []
    now = day.grid.minute_of(day.at)
    grouped = defaultdict(list)
    for block in listed:
        grouped[_group_name(block, now)].append(block)
    grouped["waiting"].sort(key=lambda block: -block.remarks.waiting.minutes if block.remarks.waiting else 0)
    notes = {
        "waiting": "longest first",
        "open": "their time has passed",
        "late": "not arrived yet",
        "next": f"until {clinic_time.time_text(day.at + HOUR)}",
    }
    names = [name for name in _TITLES if grouped[name]]
    return [ListGroup(name, _TITLES[name], notes.get(name, ""), grouped[name]) for name in names]


def _group_name(block: Block, now: int) -> str:
    """Return the group of an appointment; `now` is a minute of the grid."""
    if block.status != Status.BOOKED:
        return _BY_STATUS.get(block.status, "done")
    start, minutes = block.place
    if start + minutes <= now:
        return "open"
    if start < now:
        return "late"
    return "next" if start <= now + _HOUR else "later"
