"""What the impact page shows: each appointment that was hit, how it stands, and where it could go."""

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
class Row:
    """An appointment that was hit. `outcome` says what has become of it; empty, it is open and has a proposal.

    `refusal` is why it could not be moved or cancelled just now.
    """

    hit: DisplacedAppointment
    outcome: str
    has_left: bool  # moved or cancelled: there is something to tell the patient
    proposal: Proposal = NO_PROPOSAL
    refusal: str = ""

    @property
    def was(self) -> str:
        """When the appointment was to take place."""
        start = self.hit.start_time
        return f"{clinic_time.date_text(start)} {clinic_time.time_text(start)}"

    @property
    def is_needless(self) -> bool:
        """Whether there is nothing to do, and nothing to tell."""
        return not self.is_open and not self.has_left and not self.hit.stays

    @property
    def appointment(self) -> Appointment:
        """The appointment as it is now."""
        return self.hit.appointment

    @property
    def is_open(self) -> bool:
        """Whether it is still to be moved or cancelled."""
        return not self.outcome

    @property
    def is_waiting(self) -> bool:
        """Whether the patient is here."""
        return self.appointment.status == Status.ARRIVED

    def could_move(self, whose: str) -> bool:
        """Return whether all at once would move the appointment to the time proposed `WITH_SAME` or `WITH_OTHER`."""
        slot = self.proposal.same if whose == WITH_SAME else self.proposal.other
        return slot is not None and not self.is_waiting

    @property
    def said(self) -> str:
        """What the page's form says of the row: what was shown is what is done."""
        slots = {WITH_SAME: self.proposal.same, WITH_OTHER: self.proposal.other}
        proposed = {name: slot.query for name, slot in slots.items() if slot}
        return urlencode({"hit": self.hit.pk, "version": self.appointment.version, **proposed})


@dataclass(frozen=True)
class ImpactPage:
    """An impact with its appointments, in the order of when they were to take place.

    `shown` are those of the page, as many as a form may send: the ones still to be moved or cancelled first if not all.
    """

    impact: ScheduleChange
    rows: list[Row]
    shown: list[Row]

    @property
    def open_rows(self) -> list[Row]:
        """The rows shown that are still to be moved or cancelled."""
        return [row for row in self.shown if row.is_open]

    @property
    def to_arrange(self) -> int:
        """How many appointments are still to be moved or cancelled."""
        return sum(row.is_open for row in self.rows)

    @property
    def more(self) -> int:
        """How many rows there are beyond those shown."""
        return len(self.rows) - len(self.shown)

    @property
    def at_once(self) -> list[tuple[str, int]]:
        """Whose times all could be moved to at once, and how many could; who is here already is asked first."""
        counts = [(whose, sum(row.could_move(whose) for row in self.open_rows)) for whose in (WITH_SAME, WITH_OTHER)]
        return [(whose, count) for whose, count in counts if count]

    @property
    def to_reach(self) -> int:
        """How many patients have not been told yet."""
        return sum(row.hit.reached_at is None and not row.is_needless for row in self.rows)


def impact_page(
    impact: ScheduleChange, *, refusals: Mapping[int, str] | None = None, at: dt.datetime | None = None
) -> ImpactPage:
    """Return what the page shows; `refusals` are by the ids of hits. At most ten queries, however many appointments."""
    at = at or timezone.now()
    rows = rows_of(impact, at=at)
    shown = rows if len(rows) <= MAX_SHOWN else sorted(rows, key=lambda row: not row.is_open)[:MAX_SHOWN]
    proposals = propose([row.appointment for row in shown if row.is_open], at=at)
    shown = [
        replace(
            row,
            proposal=proposals.get(row.appointment.pk, NO_PROPOSAL),
            refusal=(refusals or {}).get(row.hit.pk, ""),
        )
        for row in shown
    ]
    return ImpactPage(impact, rows, shown)


def rows_of(impact: ScheduleChange, *, at: dt.datetime | None = None) -> list[Row]:
    """Return an impact's appointments and how they stand, without proposals. Five queries, however many."""
    at = at or timezone.now()
    hits = list(impact.hits.select_related("appointment__patient", "appointment__doctor", "doctor", "reached_by"))
    unmoved = [hit.appointment for hit in hits if _is_where_it_was(hit) and hit.appointment.status in MOVABLE]
    obstacles = obstacles_to(unmoved)
    return [
        Row(
            hit,
            _outcome(hit, obstacles.get(hit.appointment_id, frozenset()), at=at),
            has_left=hit.appointment.status == Status.CANCELLED or not _is_where_it_was(hit),
        )
        for hit in hits
    ]


def _is_where_it_was(hit: DisplacedAppointment) -> bool:
    return (hit.appointment.doctor_id, hit.appointment.start_time) == (hit.doctor_id, hit.start_time)


def _outcome(hit: DisplacedAppointment, obstacles: frozenset[str], *, at: dt.datetime) -> str:
    """Return what has become of an appointment; nothing if it is still to be moved or cancelled."""
    appointment = hit.appointment
    if appointment.status not in MOVABLE:
        return ": ".join(filter(None, [appointment.get_status_display(), appointment.cancel_reason]))
    if not _is_where_it_was(hit):
        doctor = "" if appointment.doctor_id == hit.doctor_id else f", {appointment.doctor}"
        start = appointment.start_time
        return f"Moved to {clinic_time.date_text(start)} {clinic_time.time_text(start)}{doctor}"
    if hit.stays or not hit.still_applies(obstacles):
        return f"Stays: {appointment.doctor} is there again"
    return "The time has passed" if appointment.end_time <= at and appointment.status != Status.ARRIVED else ""
