import datetime as dt

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MAX_EMERGENCY = dt.timedelta(hours=24)


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
