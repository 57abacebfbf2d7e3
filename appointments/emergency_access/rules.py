import datetime as dt

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MAX_EMERGENCY = dt.timedelta(hours=24)


def check_emergency_span(granted_at: dt.datetime, ends_at: dt.datetime) -> None:
    """Refuse access that does not end within 24 hours after it begins: `emergency_span`."""
    if not granted_at < ends_at <= granted_at + MAX_EMERGENCY:
        raise ValidationError(_("Emergency access must end within the next 24 hours."), code="emergency_span")


def check_grant_opens_something(*, sees_all_names: bool) -> None:
    """Refuse access for a user whose role shows all names: `emergency_needless`."""
    if sees_all_names:
        raise ValidationError(_("This user's role already shows all names."), code="emergency_needless")


def check_granted_to_another(user_id: int | None, granted_by_id: int | None) -> None:
    """Refuse access that a user grants to themselves: `emergency_self`."""
    if user_id is not None and user_id == granted_by_id:
        raise ValidationError(
            _("You cannot grant emergency access to yourself. Ask another administrator."), code="emergency_self"
        )
