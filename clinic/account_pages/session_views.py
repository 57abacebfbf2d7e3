import datetime as dt
from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import LogoutView
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from clinic.audit.models import AuditEntry, Event
from clinic.sessions.models import Session
from clinic.web.http import StaffRequest, parse_number
from clinic.web.saved_forms import remember_saved_forms, save_sent_form

MAX_AGO = 24 * 60 * 60  # seconds; longer than any session


class SignOutView(LogoutView):
    """Log out and clear the browser's cache. Its storage has no patient data, only settings such as single keys."""

    def post(self, *args: Any, **kwargs: Any) -> Any:
        response = super().post(*args, **kwargs)
        response["Clear-Site-Data"] = '"cache"'
        return response


def session_list(request: StaffRequest) -> HttpResponse:
    """List the user's sessions, the most recently used first."""
    sessions = Session.objects.filter(user=request.user).in_force(at=timezone.now()).order_by("-last_seen_at", "pk")
    return render(request, "clinic/session_list.html", {"sessions": sessions, "own": request.session.row.handle})


def session_end(request: StaffRequest, handle: str) -> HttpResponse:
    """End one of the user's sessions; the current one ends by logging out."""
    session = get_object_or_404(Session.objects.filter(user=request.user), handle=handle)
    if session.pk == request.session.session_key:
        logout(request)
        return redirect("login")
    _end(request, [session])
    messages.success(request, "The session has ended.")
    return redirect("session_list")


def session_end_others(request: StaffRequest) -> HttpResponse:
    count = end_others(request)
    messages.success(request, f"{count} other session{'' if count == 1 else 's'} ended.")
    return redirect("session_list")


def end_others(request: StaffRequest) -> int:
    """End all sessions of the user except the current one, and return how many there were."""
    others = Session.objects.filter(user=request.user).exclude(pk=request.session.session_key)
    return _end(request, list(others.in_force(at=timezone.now())))


def _end(request: StaffRequest, sessions: list[Session]) -> int:
    if sessions:
        Session.objects.filter(pk__in=[session.pk for session in sessions]).delete()
        AuditEntry.objects.record(Event.SIGN_OUT, request.user, ended_by="user", sessions=len(sessions))
    return len(sessions)


def session_left(request: StaffRequest) -> HttpResponse:
    """Return seconds left and user as JSON; asking does not extend the session."""
    session = request.session
    return JsonResponse({"seconds": session.seconds_left(), "can_stay": session.can_stay(), "user": request.user.pk})


def session_stay(request: StaffRequest) -> HttpResponse:
    """Extend the session: the user is at the page, or was `ago` seconds before."""
    ago = min(parse_number(request.POST.get("ago", "")) or 0, MAX_AGO)
    request.session.record_seen(timezone.now() - dt.timedelta(seconds=ago), at_once=True)
    return session_left(request)


def form_keep(request: StaffRequest) -> HttpResponse:
    """Save a page's form for after the next login. `clinic.web.session_limits` does so once a session has ended."""
    answer = save_sent_form(request, user=request.user)
    remember_saved_forms(request.session, request.user)
    return answer
