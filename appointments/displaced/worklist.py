"""A worklist as its page shows it: each displaced appointment, what became of it, and where it could go."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.utils import timezone

from appointments.displaced.finder import obstacles_to
from appointments.displaced.proposals import Proposal, propose
from appointments.models import Appointment, DisplacedAppointment, ScheduleChange
from appointments.statuses import MOVABLE, Status
from clinic.core import clinic_time

MAX_SHOWN = 300
NO_PROPOSAL = Proposal()
WITH_SAME, WITH_OTHER = "same", "other"  # doctor


@dataclass(frozen=True)
class DisplacedRow:
    """A displaced appointment; without `outcome` it is open: still to be moved or cancelled."""

    displaced: DisplacedAppointment
    outcome: str
    has_left: bool  # moved or cancelled, so the patient must be informed
    proposal: Proposal = NO_PROPOSAL
    refusal: str = ""  # of the move or cancellation just tried

    @property
    def was(self) -> str:
        start = self.displaced.start_time
        return f"{clinic_time.date_text(start)} {clinic_time.time_text(start)}"

    @property
    def is_needless(self) -> bool:
        """Whether there is nothing to do and no one to inform."""
        return not self.is_open and not self.has_left and not self.displaced.reinstated

    @property
    def appointment(self) -> Appointment:
        return self.displaced.appointment

    @property
    def is_open(self) -> bool:
        return not self.outcome

    @property
    def is_waiting(self) -> bool:
        return self.appointment.status == Status.ARRIVED

    def could_move(self, whose: str) -> bool:
        """Return whether all at once would move the appointment to the time proposed `WITH_SAME` or `WITH_OTHER`."""
        slot = self.proposal.same if whose == WITH_SAME else self.proposal.other
        return slot is not None and not self.is_waiting

    @property
    def form_value(self) -> str:
        """What the form sends back of the row: the version and times shown, so that what was shown is what is done."""
        slots = {WITH_SAME: self.proposal.same, WITH_OTHER: self.proposal.other}
        proposed = {name: slot.query for name, slot in slots.items() if slot}
        return urlencode({"hit": self.displaced.pk, "version": self.appointment.version, **proposed})


@dataclass(frozen=True)
class Worklist:
    """A change's displaced appointments by old time. `shown` are the first `MAX_SHOWN`, if not all open ones first."""

    change: ScheduleChange
    rows: list[DisplacedRow]
    shown: list[DisplacedRow]

    @property
    def open_rows(self) -> list[DisplacedRow]:
        return [row for row in self.shown if row.is_open]

    @property
    def to_rebook(self) -> int:
        return sum(row.is_open for row in self.rows)

    @property
    def more(self) -> int:
        return len(self.rows) - len(self.shown)

    @property
    def at_once(self) -> list[tuple[str, int]]:
        """For which doctors all can be moved at once, and how many: not patients who are here, they are asked first."""
        counts = [(whose, sum(row.could_move(whose) for row in self.open_rows)) for whose in (WITH_SAME, WITH_OTHER)]
        return [(whose, count) for whose, count in counts if count]

    @property
    def to_inform(self) -> int:
        return sum(row.displaced.informed_at is None and not row.is_needless for row in self.rows)


def worklist_of(
    change: ScheduleChange, *, refusals: Mapping[int, str] | None = None, at: dt.datetime | None = None
) -> Worklist:
    """Return what the page shows; `refusals` are by the ids of displaced appointments. At most ten queries."""
    at = at or timezone.now()
    rows = rows_of(change, at=at)
    shown = rows if len(rows) <= MAX_SHOWN else sorted(rows, key=lambda row: not row.is_open)[:MAX_SHOWN]
    proposals = propose([row.appointment for row in shown if row.is_open], at=at)
    shown = [
        replace(
            row,
            proposal=proposals.get(row.appointment.pk, NO_PROPOSAL),
            refusal=(refusals or {}).get(row.displaced.pk, ""),
        )
        for row in shown
    ]
    return Worklist(change, rows, shown)


def rows_of(change: ScheduleChange, *, at: dt.datetime | None = None) -> list[DisplacedRow]:
    """Return a worklist's appointments and what became of them, without proposals. Five queries."""
    at = at or timezone.now()
    related = ("appointment__patient", "appointment__doctor", "doctor", "informed_by")
    displaced = list(change.displaced.select_related(*related))
    unmoved = [each.appointment for each in displaced if _is_unmoved(each) and each.appointment.status in MOVABLE]
    obstacles = obstacles_to(unmoved)
    return [
        DisplacedRow(
            each,
            _outcome(each, obstacles.get(each.appointment_id, frozenset()), at=at),
            has_left=each.appointment.status == Status.CANCELLED or not _is_unmoved(each),
        )
        for each in displaced
    ]


def _is_unmoved(displaced: DisplacedAppointment) -> bool:
    appointment = displaced.appointment
    return (appointment.doctor_id, appointment.start_time) == (displaced.doctor_id, displaced.start_time)


def _outcome(displaced: DisplacedAppointment, obstacles: frozenset[str], *, at: dt.datetime) -> str:
    """Return what has become of an appointment; nothing if it is still to be moved or cancelled."""
    appointment = displaced.appointment
    if appointment.status not in MOVABLE:
        return ": ".join(filter(None, [appointment.get_status_display(), appointment.cancel_reason]))
    if not _is_unmoved(displaced):
        doctor = "" if appointment.doctor_id == displaced.doctor_id else f", {appointment.doctor}"
        start = appointment.start_time
        return f"Moved to {clinic_time.date_text(start)} {clinic_time.time_text(start)}{doctor}"
    if displaced.reinstated or not displaced.still_applies(obstacles):
        return f"Stays: {appointment.doctor} is there again"
    return "The time has passed" if appointment.end_time <= at and appointment.status != Status.ARRIVED else ""
