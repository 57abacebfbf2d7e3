"""The WSGI application, for gunicorn and other servers."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")

_serve = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve a request, read as UTF-8 whatever charset it claims to have.

    Python knows charsets that are none of texts, such as `hex`; with one of these Django fails before any of our
    error pages is there to answer.
    """
    content_type, parameters = parse_header_parameters(environ.get("CONTENT_TYPE", ""))
    if "charset" in parameters:
        kept = [f'{name}="{value}"' for name, value in parameters.items() if name != "charset"]
        environ["CONTENT_TYPE"] = "; ".join([content_type, *kept])
    return _serve(environ, start_response)
