import datetime as dt

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MIN_MINUTES = 15
DEFAULT_MINUTES = 30  # unless the doctor has another usual length
MAX_MINUTES = 180

SHORTEST = dt.timedelta(minutes=MIN_MINUTES)
LONGEST = dt.timedelta(minutes=MAX_MINUTES)


def check_duration(minutes: int) -> None:
    """Check that an appointment lasts 15 to 180 minutes, both included, or raise `duration`."""
    if not MIN_MINUTES <= minutes <= MAX_MINUTES:
        raise ValidationError(
            _("An appointment lasts %(shortest)d to %(longest)d minutes."),
            code="duration",
            params={"shortest": MIN_MINUTES, "longest": MAX_MINUTES},
        )
