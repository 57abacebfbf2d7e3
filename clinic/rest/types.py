"""Types of the API's input, which convert nothing between strings, numbers, booleans and dates."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Annotated, Any

from annotated_types import Ge, Le
from django.core.exceptions import ValidationError
from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, Strict, StrictInt, WithJsonSchema
from pydantic_core import PydanticCustomError

from clinic.core import clinic_time
from clinic.core.appointment_length import MAX_MINUTES, MIN_MINUTES, check_duration

MAX_ID = 2**63 - 1
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[Tt ](?P<time>\d{2}:\d{2}(:\d{2}(\.\d+)?)?)(?P<zone>[Zz]|[+-]\d{2}:\d{2})?"
)
_NO_CONTROLS = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_DIGITS = re.compile(r"[0-9]{1,19}")


class StrictSchema(Schema):
    """Input that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


def _number(value: Any) -> Any:
    """Convert digits from a URL; in JSON only a number is a number."""
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def _date(value: Any) -> dt.date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value) and value.isascii():
            return dt.date.fromisoformat(value)
    except ValueError:
        pass
    raise PydanticCustomError("date", "Enter a date like 2026-11-24.")


def _instant(value: Any) -> dt.datetime:
    found = _INSTANT.fullmatch(value) if isinstance(value, str) and value.isascii() else None
    try:
        instant = found and dt.datetime.fromisoformat(value.upper())
    except ValueError:
        instant = None
    if not instant:
        raise PydanticCustomError("instant", "Enter a time like 2026-11-24T10:30:00+00:00.")
    if instant.tzinfo is None:
        raise PydanticCustomError("naive", "Give the time with its offset from UTC, as in 2026-11-24T10:30:00+00:00.")
    try:
        return instant.astimezone(dt.UTC)
    except OverflowError as error:
        raise PydanticCustomError("date_range", "Enter a valid time.") from error


Id = Annotated[StrictInt, Field(ge=1, le=MAX_ID)]
# In a path or query, where everything is text. No Field: ninja would take it for the argument's source.
IdInUrl = Annotated[int, Strict(), Ge(1), Le(MAX_ID), BeforeValidator(_number)]
Date = Annotated[dt.date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Instant = Annotated[
    dt.datetime,
    BeforeValidator(_instant),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "ISO 8601 with an offset from UTC; seconds are dropped.",
            "examples": ["2027-03-01T10:30:00+00:00"],
        }
    ),
]
NumberInUrl = Annotated[int, Strict(), BeforeValidator(_number)]


def by_rule(check: Callable[[Any], None]) -> AfterValidator:
    """Return a validator that applies a rule of the models, with the rule's own code."""

    def checked(value: Any) -> Any:
        try:
            check(value)
        except ValidationError as error:
            raise PydanticCustomError(str(error.code), "{message}", {"message": " ".join(error.messages)}) from error
        return value

    return AfterValidator(checked)


def text(most: int, *, least: int = 0, example: str = "", pattern: str = _NO_CONTROLS) -> Any:
    """Return the Field of a text with these lengths and without control characters."""
    limits: dict[str, Any] = {"strict": True, "min_length": least, "max_length": most, "pattern": pattern}
    return Field(**limits, examples=[example] if example else None)


def left_out(description: str = "") -> Any:
    """Return the default of an optional field that may not be null."""
    return Field(None, description=description or None)


_LENGTH = {"type": "integer", "minimum": MIN_MINUTES, "maximum": MAX_MINUTES, "examples": [30]}
# The schema shows the bounds; the rule enforces them, with its own code.
Minutes = Annotated[StrictInt, by_rule(check_duration), WithJsonSchema(_LENGTH)]
MinutesInUrl = Annotated[int, Strict(), by_rule(check_duration), BeforeValidator(_number), WithJsonSchema(_LENGTH)]
# A date of the portal's calendar; dates of birth have a rule of their own.
Day = Annotated[Date, by_rule(clinic_time.check_date)]


def example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})
