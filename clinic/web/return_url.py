"""Where a page leads back to: only ever to a path of the portal, never to another host."""

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from clinic.web.page_access import PUBLIC, is_open_to, methods_of, page_at


def return_url(request: HttpRequest, default: str) -> str:
    """Return the `next` URL of the form, else of the address; the default if that is no path of the portal."""
    url = request.POST.get("next") or request.GET.get("next", "")
    return url if is_local_path(url) else default


def referring_page(request: HttpRequest) -> str:
    """Return the portal's page that the browser names as referrer, or an empty string."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return ""
    url = parts._replace(scheme="", netloc="", fragment="").geturl()
    return url if parts.netloc == request.get_host() and is_local_path(url) else ""


def is_local_path(url: str) -> bool:
    """Return whether a URL is a path of the portal without a host; `redirect` takes others for names of views."""
    return url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)


def may_open(request: HttpRequest, url: str) -> bool:
    """Return whether a signed-in user may GET the page at this URL; public pages such as the login do not count."""
    permissions = methods_of(page_at(urlsplit(url).path)).get("GET", PUBLIC)
    return permissions != PUBLIC and is_open_to(request.user, permissions)
