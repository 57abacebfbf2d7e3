"""Who calls the API: tokens, and how often they may be used."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja.security import HttpBearer

from clinic.models import ApiToken, KeptAnswer
from clinic.rest.errors import is_api, refuse_call
from clinic.transactions import retrying


class TokenMiddleware:
    """Sign in who calls the API by the token alone: a browser's session counts for nothing there, nor do its forms."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        """Pass a call of the API on as that of the token's user, or refuse it as one too many."""
        if not is_api(request):
            return self.get_response(request)
        request.user, request.api_token = AnonymousUser(), _token_of(request)
        if request.api_token is None:
            return self.get_response(request)
        wait = _seconds_to_wait(request.api_token)
        if wait:
            return refuse_call(request, 429, {"Retry-After": str(wait)})
        if request.api_token.note_use():
            retrying(KeptAnswer.objects.purge)()
        request.user = request.api_token.user
        return self.get_response(request)


def _token_of(request: HttpRequest) -> ApiToken | None:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return ApiToken.objects.in_force(text.strip(), at=timezone.now()) if scheme.lower() == "bearer" else None


def _seconds_to_wait(token: ApiToken) -> int:
    """Count a call, and return how long the caller must wait: 0 while the token is within its rate.

    Calls are counted by minute, in one step if the cache is in memory, memcached or Redis; ninja's own throttle keeps
    what it counts on an object that all threads write to.
    """
    most = settings.API_CALLS_A_MINUTE
    if not most:
        return 0
    now = int(time.time())
    key = f"api-calls-{token.pk}-{now // 60}"
    cache.add(key, 0, timeout=120)
    try:
        calls = cache.incr(key)
    except ValueError:  # the cache keeps nothing, or has just dropped it: no reason to refuse anybody
        return 0
    return 60 - now % 60 if calls > most else 0


class BearerToken(HttpBearer):
    """How the description of the API says that calls need a token. `clinic.middleware` has refused those without."""

    def authenticate(self, request: Any, token: str) -> ApiToken:
        """Return the token that was found to be in force."""
        return request.api_token
