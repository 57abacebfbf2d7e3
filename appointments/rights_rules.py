"""What must hold where patients' rights are concerned: anonymised patients, and emergency access to the others."""

import datetime as dt
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from clinic.audit.actor import ANONYMISED
from clinic.core import clinic_time

if TYPE_CHECKING:
    from appointments.querysets import AppointmentQuerySet

# What people write about an appointment in their own words.
TEXTS = ("reason", "notes", "cancel_reason", "outside_hours_reason")

MAX_EMERGENCY = dt.timedelta(hours=24)


def check_no_open_appointments(open_appointments: "AppointmentQuerySet", *, today: dt.date) -> None:
    """Check that a patient has no appointment today or to come whose end is not known yet.

    Raises:
        ValidationError: `open_appointments`.
    """
    start, _end = clinic_time.day_bounds(today)
    if (appointment := open_appointments.filter(end_time__gt=start).order_by("start_time").first()) is not None:
        raise ValidationError(
            _("An appointment is still open: %(appointment)s. Say first how it ended, or cancel it."),
            code="open_appointments",
            params={"appointment": appointment},
        )


def check_no_text_for_anonymised(text: str, *, of_nobody: bool) -> None:
    """Check that nothing is written about an appointment `of_nobody`, whose patient has been anonymised.

    Raises:
        ValidationError: `anonymised`.
    """
    if of_nobody and text not in ("", ANONYMISED):
        raise ValidationError(
            _("The patient of this appointment has been anonymised, so nothing can be written about it."),
            code="anonymised",
        )


def check_emergency_span(granted_at: dt.datetime, ends_at: dt.datetime) -> None:
    """Check that emergency access ends after it begins, and within a day.

    Raises:
        ValidationError: `emergency_span`.
    """
    if not granted_at < ends_at <= granted_at + MAX_EMERGENCY:
        raise ValidationError(_("Emergency access has to end within the coming 24 hours."), code="emergency_span")


def check_grant_opens_something(*, sees_all_names: bool) -> None:
    """Check that emergency access shows somebody more than the role does.

    Raises:
        ValidationError: `emergency_needless`.
    """
    if sees_all_names:
        raise ValidationError(_("This user's role shows all names anyway."), code="emergency_needless")


def check_granted_to_another(user_id: int | None, granted_by_id: int | None) -> None:
    """Check that nobody grants emergency access to themselves.

    Raises:
        ValidationError: `emergency_self`.
    """
    if user_id is not None and user_id == granted_by_id:
        raise ValidationError(
            _("Nobody grants emergency access to themselves: ask another administrator."), code="emergency_self"
        )
