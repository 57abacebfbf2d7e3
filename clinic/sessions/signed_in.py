"""Who is signed in: a request's session, its user and the permissions of the user's roles, in one statement."""

from contextvars import ContextVar
from typing import Any

from django.contrib import auth
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.db.models import CharField
from django.utils.functional import SimpleLazyObject

from clinic.accounts.models import User
from clinic.accounts.user_columns import split_user, user_columns
from clinic.db.compiled_query import CompiledQuery, Parameter
from clinic.sessions.models import Session

_SESSION = [field.attname for field in Session._meta.concrete_fields]
_by_key = CompiledQuery(
    lambda: Session.objects.filter(session_key=Parameter("key", CharField())).values_list(*_SESSION, *user_columns())
)
_user_of_session: ContextVar[User | None] = ContextVar("user_of_session", default=None)


def session_and_user(key: str) -> tuple[Session | None, User | None]:
    """Return the session with this key and the user in its column, who is not signed in by that alone. One query."""
    values = _by_key.row(key=key)
    if values is None:
        return None, None
    of_session, user = split_user(values)
    return Session.from_db("default", _SESSION, of_session), user


def read_user(user_id: int) -> User | None:
    """Return this user if the session of `SignedInMiddleware` has read it."""
    user = _user_of_session.get()
    return user if user is not None and user.pk == user_id else None


class SignedInMiddleware(AuthenticationMiddleware):
    """Django's, but its checks of the session get the user whom the session has read, in place of a query."""

    def process_request(self, request: Any) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _user_of(request))


def _user_of(request: Any) -> User | AnonymousUser:
    if not hasattr(request, "_cached_user"):
        reset = _user_of_session.set(request.session.user)
        try:
            request._cached_user = auth.get_user(request)
        finally:
            _user_of_session.reset(reset)
    return request._cached_user
