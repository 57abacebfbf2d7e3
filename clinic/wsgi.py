import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")


def _load() -> Callable[..., Any]:
    """Return Django's application. Under gunicorn raise AppImportError, which it prints as one line."""
    if not os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
        return get_wsgi_application()
    from gunicorn.errors import AppImportError

    from clinic.ops.serving import why_not

    if reason := why_not():
        raise AppImportError(reason)
    serve = get_wsgi_application()

    from clinic.preload import load_pages

    load_pages()
    return serve


_serve = _load()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve a request, read as UTF-8 whatever charset it claims to have.

    Python has charsets that are not for text, such as `hex`; with one of these Django fails before the portal's error
    pages can answer.
    """
    content_type, parameters = parse_header_parameters(environ.get("CONTENT_TYPE", ""))
    if "charset" in parameters:
        others = [f'{name}="{value}"' for name, value in parameters.items() if name != "charset"]
        environ["CONTENT_TYPE"] = "; ".join([content_type, *others])
    return _serve(environ, start_response)
