"""Keyset pagination: a header carries the next cursor, so that the body is still a plain list."""

import base64
import binascii
import datetime as dt
import json
from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import HttpResponse
from ninja import Query
from ninja.responses import NinjaJSONEncoder
from pydantic import Field, StrictInt

from clinic.db.keyset import Key, KeysetOrder
from clinic.rest.errors import refuse
from clinic.rest.types import MAX_ID, StrictSchema

MAX_ROWS = 500
NEXT_CURSOR = "Next-Cursor"
_CURSOR: dict[str, Any] = {
    "pattern": "^[A-Za-z0-9_-]*$",
    "description": f"The {NEXT_CURSOR} header of the previous page; empty for the first page.",
}
_LIMIT: dict[str, Any] = {"ge": 1, "le": MAX_ROWS, "description": "Maximum number of records per page."}
# The defaults of the two in a query; ninja and Pydantic lose them if they stand beside `Annotated[…, Query()]`.
CURSOR: Any = Query("", max_length=100, **_CURSOR)
LIMIT: Any = Query(MAX_ROWS, **_LIMIT)
# All of a day, as clients of the old service expect, which had no pages.
MAX_ON_A_DAY = 5000
LIMIT_OF_DAY: Any = Query(MAX_ON_A_DAY, **_LIMIT | {"le": MAX_ON_A_DAY})


class PageIn(StrictSchema):
    """Page and cursor of a list that is asked for with a body; its cursors may contain names, and be long."""

    cursor: Annotated[str, Field(max_length=2000, **_CURSOR)] = ""
    limit: Annotated[StrictInt, Field(**_LIMIT)] = MAX_ROWS


# The OpenAPI description of a paginated response.
IN_PAGES: dict[str, Any] = {
    "responses": {
        200: {
            "headers": {
                NEXT_CURSOR: {
                    "description": "Send it as `cursor` to get the next page; missing on the last page.",
                    "schema": {"type": "string"},
                }
            }
        }
    }
}


def page_of(rows: QuerySet, response: HttpResponse, *, order: tuple[str, ...], cursor: str, limit: int) -> list[Any]:
    """Return the rows after the cursor in this unique, ascending order, and set the next cursor. One query.

    Raises:
        ValidationError: `cursor`.
    """
    after = _read(cursor, order, rows) if cursor else None
    page, last = KeysetOrder(order).page(rows, after=after, size=limit)
    if last is not None:
        response[NEXT_CURSOR] = _write(last)
    return page


def _write(values: Key) -> str:
    # Django's encoder cuts instants to milliseconds; ours are of whole minutes.
    text = json.dumps(values, cls=NinjaJSONEncoder, ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, order: tuple[str, ...], rows: QuerySet) -> Key:
    try:
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(values, list) or len(values) != len(order):
            raise ValueError("not of this list")
        return tuple(_value(rows, name, value) for name, value in zip(order, values, strict=True))
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError) as error:
        raise refuse("cursor", "cursor", "This is not a cursor of this list.") from error


def _value(rows: QuerySet, name: str, value: Any) -> Any:
    """Return a cursor's value for a column, if it can be one."""
    kind = rows.model._meta.get_field(name).get_internal_type()
    if kind == "DateTimeField":
        instant = dt.datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise ValueError("no instant")
        return instant.astimezone(dt.UTC)
    if kind == "CharField" and isinstance(value, str):
        return value.encode().decode()  # which refuses a lone surrogate: it is in no database
    if kind == "BigAutoField" and type(value) is int and 0 < value <= MAX_ID:
        return value
    raise ValueError("not of this column")
