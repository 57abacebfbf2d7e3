import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from clinic.rest.errors import MAX_ERRORS, UNPROCESSABLE, refusal


def refusing_unknown_names(run: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate a ninja operation to refuse unknown query parameters: ignored typing errors list too much."""
    operation: Any = run.__self__  # type: ignore[attr-defined]  # a bound method, as ninja hands it over
    # ninja has no public list of an operation's parameters; test_api.py fails if these names change.
    queries = [model for model in operation.models if model.__ninja_param_source__ == "query"]
    known = {name for model in queries for name in model.__ninja_flatten_map__}

    @functools.wraps(run)
    def checked(request: HttpRequest, **path: Any) -> HttpResponse:
        unknown = [name for name in request.GET if name not in known][:MAX_ERRORS]
        if unknown:
            message = "There is no such parameter."
            errors = [{"field": name, "code": "extra_forbidden", "message": message} for name in unknown]
            return refusal(UNPROCESSABLE, errors, detail=f"{', '.join(unknown)}: {message}")
        return run(request, **path)

    return checked
