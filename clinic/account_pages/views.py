"""Signing in with one or two factors, confirming the password, and the user's own account."""

import time
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from clinic.account_pages.forms import CodeForm, ConfirmForm, LoginForm, OwnPasswordForm, SetUpForm
from clinic.account_pages.session_views import end_others
from clinic.accounts import lockout, second_factor
from clinic.accounts.confirmation import confirm_session, record_second_factor
from clinic.accounts.known_devices import remember_device
from clinic.accounts.models import User
from clinic.accounts.recovery_codes import RecoveryCode
from clinic.ops.logs import explain
from clinic.web.csrf_reasons import csrf_code
from clinic.web.http import StaffRequest, sent_data
from clinic.web.page_access import CONFIRMED, page_at
from clinic.web.return_url import is_local_path, may_open, return_url
from clinic.web.session_limits import SENT

SECOND_STEP_SECONDS = 5 * 60
_SECOND_STEP = "second_step"
_BACKEND = "clinic.backends.RolesBackend"


class PortalLoginView(LoginView):
    """The login; users with a second factor are asked for it on the next page and signed in only then."""

    authentication_form = LoginForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        session: Any = self.request.session
        return super().get_context_data(**kwargs) | {
            "has_ended": session.ended_for is not None,
            "sent": self.request.GET.get(SENT, ""),
        }

    # Not `return_url`: Django's own also follows a full address of this host. It reads `next` in the same order.
    def get_success_url(self) -> str:
        """Return the page asked for, if the user may open it: another user may have asked for it."""
        return _allowed_url(self.request, self.get_redirect_url())

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if second_factor.device_of(user) is None:
            response = super().form_valid(form)
            remember_device(self.request, response, user)
            return response
        self.request.session.cycle_key()
        self.request.session[_SECOND_STEP] = {
            "user": user.pk,
            "password": user.get_session_auth_hash(),
            "at": time.time(),
            "next": self.get_redirect_url(),
        }
        return redirect("login_code")


def login_code(request: HttpRequest) -> HttpResponse:
    """Ask for the code; without a recent password step, start again."""
    user = _user_before_second_step(request)
    if user is None and request.user.is_authenticated:
        return redirect(settings.LOGIN_REDIRECT_URL)  # the button was pressed twice
    if user is None:
        is_late = request.method == "POST"
        return render(request, "accounts/login_late.html") if is_late else redirect("login")
    form = CodeForm(request, user, data=sent_data(request))
    if request.method == "POST" and form.is_valid():
        step = request.session.pop(_SECOND_STEP)
        record_second_factor(request)  # before the login, for its audit entry
        login(request, user, backend=_BACKEND)
        _warn_if_recovery_code(request, user, form)
        response = redirect(_allowed_url(request, step["next"]))
        remember_device(request, response, user)
        return response
    return render(request, "accounts/login_code.html", {"form": form})


def _allowed_url(request: HttpRequest, url: str) -> str:
    """Return a URL that was checked to be local, if the user may open it; else the first page."""
    return url if may_open(request, url) else resolve_url(settings.LOGIN_REDIRECT_URL)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without a valid token, or from another address, with 403 and the code of `csrf_code`.

    A user who has just logged in, such as in another tab, is redirected.
    """
    code = csrf_code(reason)
    explain(request, code)
    page = request.resolver_match.view_name if request.resolver_match else ""
    if request.user.is_authenticated and page == "login" and _names_user(request):
        login_view = PortalLoginView()
        login_view.setup(request)
        return redirect(login_view.get_success_url())
    if request.user.is_authenticated and page == "login_code" and _SECOND_STEP not in request.session:
        return redirect(settings.LOGIN_REDIRECT_URL)
    return render(request, "403_csrf.html", {"code": code}, status=403)


def _names_user(request: HttpRequest) -> bool:
    """Return whether the username typed is the logged-in user's: other users may not continue in that session."""
    return request.POST.get("username", "").strip().casefold() == request.user.get_username().casefold()


def _user_before_second_step(request: HttpRequest) -> User | None:
    """Return the user who gave the right password in this session, if it is still valid and not too long ago."""
    step = request.session.get(_SECOND_STEP)
    if step is None or time.time() - step["at"] > SECOND_STEP_SECONDS:
        return None
    user = User.objects.filter(pk=step["user"], is_active=True).first()
    if user is None or not constant_time_compare(step["password"], user.get_session_auth_hash()):
        return None
    return user


def _warn_if_recovery_code(request: HttpRequest, user: User, form: CodeForm | ConfirmForm) -> None:
    """Show on the next page how many recovery codes are left, if one was just used."""
    code = form.cleaned_data.get("code")
    if code is not None and not second_factor.is_code_of_app(code):
        messages.warning(request, second_factor.recovery_code_used_text(user))


def confirm(request: StaffRequest) -> HttpResponse:
    with_code = second_factor.device_of(request.user) is not None
    form = ConfirmForm(request, request.user, with_code=with_code, data=sent_data(request))
    if request.method == "POST" and form.is_valid():
        confirm_session(request, by_second_factor=with_code)
        _warn_if_recovery_code(request, request.user, form)
        lockout.forget_failures(request, request.user)
        return redirect(return_url(request, resolve_url("account")))
    context = {
        "form": form,
        "next": return_url(request, ""),
        "was_sent": "sent" in request.GET,
        "back_url": _cancel_url(request),
    }
    return render(request, "accounts/confirm.html", context)


def _cancel_url(request: StaffRequest) -> str:
    """Return the page the user came from, unless it needs confirmation too; else the schedule."""
    back = request.GET.get("back", "")
    if is_local_path(back) and may_open(request, back) and not _needs_confirmation(back):
        return back
    return resolve_url("appointments:schedule_now")


def _needs_confirmation(url: str) -> bool:
    page = page_at(urlsplit(url).path)
    return page is None or page.view_name == "confirm" or (page.view_name, "GET") in CONFIRMED


class OwnPasswordView(PasswordChangeView):
    form_class = OwnPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        """Save the password. It makes the user's other browsers unknown, but not this one."""
        response = super().form_valid(form)
        remember_device(self.request, response, form.user)
        return response


def account(request: StaffRequest) -> HttpResponse:
    return render(request, "accounts/account.html", _factor_state(request))


def set_up_second_factor(request: StaffRequest) -> HttpResponse:
    device = second_factor.device_of(request.user)
    if request.method == "POST" and "secret" in request.POST:
        return _finish_set_up(request, device)
    if request.method == "POST" and device is not None:
        return _change_second_factor(request)
    if device is None or "replace" in request.GET:
        return _show_set_up(request, second_factor.new_device(request.user), SetUpForm())
    return render(request, "accounts/second_factor.html", _factor_state(request))


def _factor_state(request: StaffRequest) -> dict[str, Any]:
    return {
        "device": second_factor.device_of(request.user),
        "codes_left": RecoveryCode.objects.unused().filter(user=request.user).count(),
        "is_required": second_factor.is_required_of(request.user),
    }


def _show_set_up(request: StaffRequest, device: TOTPDevice, form: SetUpForm) -> HttpResponse:
    context = {
        "form": form,
        "signed": second_factor.as_signed(device),
        "image": second_factor.qr_image(device),
        "secret": second_factor.secret_text(device),
        "is_required": second_factor.is_required_of(request.user),
        "is_replacing": "replace" in request.GET,
    }
    return render(request, "accounts/second_factor_set_up.html", context)


def _finish_set_up(request: StaffRequest, current: TOTPDevice | None) -> HttpResponse:
    """Save the secret if the code proves that the app has it; a repeated submit sets up nothing twice."""
    form = SetUpForm(request.POST)
    device = second_factor.from_signed(request.user, request.POST["secret"])
    if device is None:
        messages.error(request, _("The code has expired. Scan the new one."))
        return redirect(request.get_full_path())
    if current is not None and current.key == device.key:
        messages.info(request, _("The second factor is on. If you have not seen your recovery codes, create new ones."))
        return redirect("second_factor")
    if form.is_valid() and second_factor.knows_secret(device, form.cleaned_data["code"]):
        codes = second_factor.set_up(device)
        record_second_factor(request)
        end_others(request)
        return _show_codes(request, codes)
    if not form.errors:
        form.add_error("code", second_factor.wrong_app_code_text())
    return _show_set_up(request, device, form)


def _change_second_factor(request: StaffRequest) -> HttpResponse:
    if "renew" in request.POST:
        return _show_codes(request, second_factor.renew_codes(request.user))
    if "remove" not in request.POST or second_factor.is_required_of(request.user):
        raise PermissionDenied
    second_factor.remove(request.user)
    record_second_factor(request, used=False)
    end_others(request)
    messages.success(request, _("The second factor is turned off."))
    return redirect("account")


def _show_codes(request: StaffRequest, codes: list[str]) -> HttpResponse:
    """Show new recovery codes, in this response only."""
    return render(request, "accounts/recovery_codes.html", {"codes": codes})
