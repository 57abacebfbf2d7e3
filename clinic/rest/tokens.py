from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja.security import HttpBearer

from clinic.core.client_address import is_unencrypted
from clinic.ops.rate_limit import seconds_to_wait
from clinic.rest.errors import DESCRIPTION, READ_BY_PEOPLE, is_api, refuse_call
from clinic.rest.models import ApiToken, StoredResponse

UNENCRYPTED = "This request was not encrypted. Use https://, and replace the token: others may have read it."
DESCRIBING = READ_BY_PEOPLE | {DESCRIPTION}


class TokenMiddleware:
    """Authenticates API calls by token, never by session, so without CSRF; the documentation also by session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        if not is_api(request):
            return self.get_response(request)
        if is_unencrypted(request):
            request.user, request.api_token = AnonymousUser(), None
            return refuse_call(request, 403, detail=UNENCRYPTED)
        request.api_token = _token_of(request)
        if request.api_token is None:
            if not (request.method == "GET" and request.path_info in DESCRIBING):
                request.user = AnonymousUser()
            return self.get_response(request)
        wait = seconds_to_wait(f"token-{request.api_token.pk}", most=settings.API_CALLS_A_MINUTE)
        if wait:
            return refuse_call(request, 429, {"Retry-After": str(wait)})
        if request.api_token.record_use():
            StoredResponse.objects.purge()
        request.user = request.api_token.user
        return self.get_response(request)


def _token_of(request: HttpRequest) -> ApiToken | None:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return ApiToken.in_force(text.strip(), at=timezone.now()) if scheme.lower() == "bearer" else None


class BearerToken(HttpBearer):
    """Documents in the API schema that calls need a token. `clinic.web.middleware` has refused calls without one."""

    def authenticate(self, request: Any, token: str) -> ApiToken:
        return request.api_token
