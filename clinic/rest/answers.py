"""Error responses in the description of the API."""

import datetime as dt
from typing import Any

from ninja import Schema
from pydantic import Field

# Statuses of every operation.
_ALWAYS = (400, 401, 403, 411, 413, 415, 422, 429, 500, 503)


class ErrorOut(Schema):
    """Why one thing is refused."""

    field: str | None = Field(examples=["duration_minutes"], description="Null for the request as a whole.")
    code: str = Field(examples=["duration"], description="For programs; codes do not change.")
    message: str = Field(examples=["An appointment lasts 15 to 180 minutes."], description="For people.")
    start_time: dt.datetime | None = Field(None, description="Start of the conflicting time.")
    end_time: dt.datetime | None = Field(None, description="End of the conflicting time.")


class ErrorsOut(Schema):
    """Why a request is refused."""

    detail: str = Field(examples=["An appointment lasts 15 to 180 minutes."])
    errors: list[ErrorOut]


def refusals(*codes: int, conflict: Any = ErrorsOut) -> dict[Any, Any]:
    return {code: conflict if code == 409 else ErrorsOut for code in sorted({*_ALWAYS, *codes})}
