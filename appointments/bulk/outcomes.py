"""Outcomes of many appointments at once: each is recorded by itself, in its own transaction, or refused by itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404

from appointments import rules
from appointments.booking import actions
from appointments.models import Appointment
from appointments.permissions import appointment_for
from appointments.statuses import Status
from clinic.web.http import parse_number

MAX_AT_ONCE = 100

# Also for an appointment that the user may not see: the answer must not tell that it exists.
_NOT_ALLOWED = "You can't do this to this appointment, or it no longer exists."


class Ticked(NamedTuple):
    """An appointment that the user ticked, and the version shown then; no appointment has the version 0."""

    pk: int
    version: int

    def __str__(self) -> str:
        return f"{self.pk}:{self.version}"


def parse_ticked(texts: Iterable[str]) -> list[Ticked]:
    """Return the appointments of texts such as `7:3`, each once; other texts are ignored."""
    ticked: dict[int, Ticked] = {}
    for text in texts:
        pk, _colon, version = text.partition(":")
        if (number := parse_number(pk)) is not None:
            ticked.setdefault(number, Ticked(number, parse_number(version) or 0))
    return list(ticked.values())


@dataclass(frozen=True)
class BulkAction:
    """What a button does with each ticked appointment. `done` says it, as in "12 marked as attended"."""

    right: str
    to_status: Status | None
    done: str
    carry_out: Callable[..., Appointment]


ATTENDED = BulkAction("arrive", Status.COMPLETED, "marked as attended", actions.record_attended)
NO_SHOW = BulkAction("arrive", Status.NO_SHOW, "marked as no-show", actions.mark_no_show)
UNDO = BulkAction("undo", None, "undone", actions.undo)


def cancel_with(reason: str, *, cancelled_by: str) -> BulkAction:
    carry_out = partial(actions.cancel, reason=reason, cancelled_by=cancelled_by)
    return BulkAction("change", Status.CANCELLED, "cancelled", carry_out)


@dataclass(frozen=True)
class Report:
    """What became of the ticked appointments. `refusals` has the messages by their ids."""

    done: list[Appointment] = field(default_factory=list)
    already: list[Appointment] = field(default_factory=list)  # such as those of a form that was sent twice
    refusals: dict[int, str] = field(default_factory=dict)


def record_each(action: BulkAction, ticked: Iterable[Ticked], *, by: Any) -> Report:
    """Carry out an action on each appointment, with the ordinary checks of rights, rules and version.

    If the database fails, the rest is not done; sending the same again is safe.
    """
    report = Report()
    for each in ticked:
        try:
            appointment = appointment_for(by, each.pk, action.right)
            if appointment.status == action.to_status:
                report.already.append(appointment)
            else:
                report.done.append(action.carry_out(appointment, by=by, version=each.version))
        except (Http404, PermissionDenied):
            report.refusals[each.pk] = _NOT_ALLOWED
        except ValidationError as refusal:
            report.refusals[each.pk] = _text_of(refusal)
    return report


def _text_of(refusal: ValidationError) -> str:
    """Return the messages, without details of other appointments: they are kept in the session until they are shown."""
    by_field = refusal.error_dict.values() if hasattr(refusal, "error_dict") else [refusal.error_list]
    errors = [rules.without_other_appointment(error) for errors in by_field for error in errors]
    return " ".join(ValidationError(errors).messages)
