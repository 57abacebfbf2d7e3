import json
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser


class AmbiguousBody(ValueError):
    """JSON that programs read in different ways, or that is none although Python reads it."""


class StrictParser(Parser):
    """Refuses a name that an object has twice, of which Python would take the last, and NaN and Infinity."""

    def parse_body(self, request: HttpRequest) -> Any:
        return json.loads(request.body, object_pairs_hook=_object_of, parse_constant=_refuse_constant)


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise AmbiguousBody("The body has the same name twice in an object. Send each once.")
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise AmbiguousBody(f"{text} is not a number in JSON.")
