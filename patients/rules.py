"""What must hold for a patient: one function a rule, called from `Patient.clean()`."""

import datetime as dt

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.db.versions import check_unchanged

LINKED = gettext_lazy(
    "This patient has appointments, so the record is kept and cannot be deleted. "
    "Correct the record instead, or anonymise it, and cancel coming appointments that are no longer wanted."
)

OLDEST_AGE_YEARS = 130
MIN_PHONE_DIGITS = 3  # emergency numbers and extensions


def check_email_characters(email: str) -> None:
    """Check that the e-mail is plain ASCII: MariaDB's unique index takes é for e, SQLite's does not.

    Raises:
        ValidationError: `email_characters`.
    """
    if not email.isascii():
        raise ValidationError(
            _("Use only plain letters, digits and signs in an e-mail address."), code="email_characters"
        )


def check_email_free(email: str, others: QuerySet[Model]) -> None:
    """Check that none of `others` holds the e-mail, which is already trimmed and lower-cased.

    Raises:
        ValidationError: `email_taken`.
    """
    if others.filter(email=email).exists():
        raise ValidationError(
            _("A patient with this e-mail is already registered. Search for the e-mail to find the record."),
            code="email_taken",
        )


def check_phone_number(phone_number: str) -> None:
    """Check that a phone number, if given, has digits to dial and nothing but what phone numbers are written with.

    Raises:
        ValidationError: `phone_number`.
    """
    if not phone_number:
        return
    digits = sum(char.isdecimal() and char.isascii() for char in phone_number)
    if digits < MIN_PHONE_DIGITS or not set(phone_number) <= set("0123456789+()-./ extEXT#*,;"):
        raise ValidationError(_("Enter a phone number, for example +351 912 345 678."), code="phone_number")


def check_date_of_birth(date_of_birth: dt.date | None, *, today: dt.date) -> None:
    """Check that a date of birth, if given, is not after `today` and not more than 130 years before.

    Raises:
        ValidationError: `date_of_birth`.
    """
    if not isinstance(date_of_birth, dt.date):
        return  # not given, or refused by the field already
    if date_of_birth > today:
        raise ValidationError(_("The date of birth is in the future."), code="date_of_birth")
    oldest = (today.year - OLDEST_AGE_YEARS, today.month, today.day)
    if (date_of_birth.year, date_of_birth.month, date_of_birth.day) < oldest:
        raise ValidationError(_("The date of birth is more than 130 years ago."), code="date_of_birth")


def check_not_anonymised(anonymised_at: dt.datetime | None) -> None:
    """Check that the record is still somebody's: nothing is written to one that was anonymised.

    Raises:
        ValidationError: `anonymised`.
    """
    if anonymised_at is not None:
        raise ValidationError(
            _("This record has been anonymised. It cannot be changed or booked; register the patient anew."),
            code="anonymised",
        )


def check_not_stale(*, held_at: str, seen_at: str) -> None:
    """Check that nobody has changed the record since it was shown.

    Raises:
        ValidationError: `stale`.
    """
    message = _(
        "Somebody else has changed this record meanwhile. Open it in another tab to see it as it is now. "
        "Saving again replaces it with what stands here."
    )
    check_unchanged(held_at, seen=seen_at, message=message)
