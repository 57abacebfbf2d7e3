"""Half-filled forms, saved when a session ends and shown to the same user after the next login."""

import re
from typing import Any

from django.contrib import messages
from django.forms.utils import ErrorDict
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import ResolverMatch

from clinic.accounts.models import User
from clinic.db.transactions import retrying
from clinic.sessions.saved_forms import SavedForm
from clinic.sessions.store import SessionStore
from clinic.web.page_access import PAGES, is_open_to, methods_of, page_at

MAX_DATA = 100_000
_REMINDER = "kept_forms"  # in the session: the pages with a saved form
_URLENCODED = "application/x-www-form-urlencoded"
_CSRF_FIELD = "csrfmiddlewaretoken"
_NOT_SENT = "You typed this before you were logged out. It has not been saved: check it and send it."

# Pages whose form is not worth saving.
NEVER_SAVED = frozenset(
    {
        "appointments:calendar_feed_edit",
        "patients:patient_anonymise",
        "doctors:doctor_import",
        "doctors:doctor_import_preview",
        "patients:patient_import",
        "patients:patient_import_preview",
        "patients:patient_search",
    }
)
# The admin's forms of the clinic's records; those of users and tokens are never saved.
_ADMIN_FORM = re.compile(r"(?:patients|doctors|appointments)_[a-z]+_(?:add|change)")


def is_saved(path: str) -> bool:
    """Return whether the form of the page at this path is saved. Account pages never are, because of passwords."""
    return _page_with_saved_form(path) is not None


def _page_with_saved_form(path: str) -> ResolverMatch | None:
    page = page_at(path)
    longest = SavedForm._meta.get_field("path").max_length or 0
    if page is None or len(path) > longest:
        return None
    return page if _is_admin_form(page) or _is_form_of_app(page) else None


def _is_admin_form(page: ResolverMatch) -> bool:
    return page.namespaces == ["admin"] and _ADMIN_FORM.fullmatch(page.url_name or "") is not None


def _is_form_of_app(page: ResolverMatch) -> bool:
    has_form = {"GET", "POST"} <= PAGES.get(page.view_name, {}).keys()
    is_of_app = bool(page.namespaces) and page.namespaces[0] != "api"
    return has_form and is_of_app and page.view_name not in NEVER_SAVED


def save_form(request: HttpRequest, path: str, *, user: User) -> bool:
    """Save the sent form of a page without passwords, files and tokens, if the user may send it; return whether."""
    page = _page_with_saved_form(path)
    if page is None or request.content_type != _URLENCODED:
        return False
    typed = request.POST.copy()
    for name in list(typed):
        if name == _CSRF_FIELD or "password" in name:
            del typed[name]
    data = typed.urlencode()
    if not typed or len(data) > MAX_DATA or not is_open_to(user, methods_of(page)["POST"]):
        return False
    retrying(SavedForm.objects.store)(user_id=user.pk, path=path, data=data)
    return True


def save_sent_form(request: HttpRequest, *, user: User) -> HttpResponse:
    """Save the form of the page in `?path=`; answer 201 if it was saved, else 204."""
    return HttpResponse(status=201 if save_form(request, request.GET.get("path", ""), user=user) else 204)


def remember_saved_forms(session: SessionStore, user: User) -> None:
    """Store in the session which pages have a saved form of this user. One query; other pages then make none."""
    if paths := list(SavedForm.objects.of(user).values_list("path", flat=True)):
        session[_REMINDER] = paths


def take_saved_form(request: HttpRequest) -> QueryDict | None:
    """Return the user's saved form of this page and delete it; None if there is none."""
    known: Any = request  # for a view that runs again after a lost race
    if not hasattr(known, "saved_form"):
        known.saved_form = _take(request)
    return known.saved_form


def _take(request: HttpRequest) -> QueryDict | None:
    paths = request.session.get(_REMINDER, ())
    if request.method != "GET" or request.path not in paths:
        return None
    request.session[_REMINDER] = [path for path in paths if path != request.path]
    form = SavedForm.objects.of(request.user).filter(path=request.path).first()
    if form is None:
        return None
    form.delete()
    messages.warning(request, _NOT_SENT)
    return QueryDict(form.data)


def prefilled_form(form: Any, data: QueryDict) -> Any:
    """Return a subclass of a model form that shows the data unvalidated: validating can need locks."""

    class PrefilledForm(form):
        errors = ErrorDict()

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(data, **kwargs)

    return PrefilledForm
