"""The rules of patients. Each raises a ValidationError with the code named in its docstring."""

import datetime as dt

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.db.versions import check_unchanged

LINKED = gettext_lazy(
    "This patient has appointments, so the record cannot be deleted. "
    "Correct or anonymise the record instead, and cancel future appointments that are no longer needed."
)

OLDEST_AGE_YEARS = 130
MIN_PHONE_DIGITS = 3  # emergency numbers and extensions


def check_email_characters(email: str) -> None:
    """Refuse an e-mail that is not ASCII, as MariaDB's unique index treats é as e: `email_characters`."""
    if not email.isascii():
        raise ValidationError(
            _("Use only letters without accents, digits and symbols in an e-mail address."), code="email_characters"
        )


def check_email_free(email: str, others: QuerySet[Model]) -> None:
    """Refuse an e-mail, already trimmed and in lower case, that one of `others` has: `email_taken`."""
    if others.filter(email=email).exists():
        raise ValidationError(
            _("A patient with this e-mail is already registered. Search for the e-mail to find the record."),
            code="email_taken",
        )


def check_phone_number(phone_number: str) -> None:
    """Refuse a phone number with too few digits or with other characters than phone numbers have: `phone_number`."""
    if not phone_number:
        return
    digits = sum(char.isdecimal() and char.isascii() for char in phone_number)
    if digits < MIN_PHONE_DIGITS or not set(phone_number) <= set("0123456789+()-./ extEXT#*,;"):
        raise ValidationError(_("Enter a phone number, for example +351 912 345 678."), code="phone_number")


def check_date_of_birth(date_of_birth: dt.date | None, *, today: dt.date) -> None:
    """Refuse a date of birth after `today` or more than 130 years before: `date_of_birth`."""
    if not isinstance(date_of_birth, dt.date):
        return  # not given, or refused by the field already
    if date_of_birth > today:
        raise ValidationError(_("The date of birth is in the future."), code="date_of_birth")
    oldest = (today.year - OLDEST_AGE_YEARS, today.month, today.day)
    if (date_of_birth.year, date_of_birth.month, date_of_birth.day) < oldest:
        raise ValidationError(_("The date of birth is more than 130 years ago."), code="date_of_birth")


def check_not_anonymised(anonymised_at: dt.datetime | None) -> None:
    """Refuse to change an anonymised record, or to book for it: `anonymised`."""
    if anonymised_at is not None:
        raise ValidationError(
            _("This record has been anonymised. It cannot be changed or booked; register the patient again."),
            code="anonymised",
        )


def check_not_stale(*, updated_at: str, seen_at: str) -> None:
    """Refuse a change if the record was changed since it was shown: `stale`."""
    message = _(
        "Somebody else has changed this record in the meantime. Open it in another tab to see the changes. "
        "If you save again, your entries replace them."
    )
    check_unchanged(updated_at, seen=seen_at, message=message)
