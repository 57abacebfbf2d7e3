from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from clinic.account_pages.session_views import SignOutView
from clinic.administration.lists import MAX_SEARCH
from clinic.administration.models import TidyRun
from clinic.audit.models import AuditEntry, Event
from clinic.web.return_url import return_url


def option_text(record: Model) -> str:
    """Return the label of a choice; records of people with equal names have an `option_text`."""
    return getattr(record, "option_text", str(record))


class RecordingAutocompleteView(AutocompleteJsonView):
    """Autocomplete with distinct labels, which records whose data it has shown."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.shown: list[Model] = []
        response = super().get(request, *args, **kwargs)
        AuditEntry.objects.record_listed(Event.SEARCH, self.model_admin.model, self.shown)
        return response

    def process_request(self, request: HttpRequest) -> tuple[str, Any, Any, str]:
        """Answer for the admin's own autocomplete fields only, and cut a long text, as the portal's own search does.

        Raises:
            PermissionDenied: any other field; Django takes every relation, and fails at one from the other side.
        """
        term, model_admin, source_field, to_field = super().process_request(request)
        site: Any = self.admin_site
        source = source_field.model
        completed = site.get_model_admin(source).get_autocomplete_fields(request) if site.is_registered(source) else ()
        if source_field.name not in completed:
            raise PermissionDenied
        return term[:MAX_SEARCH], model_admin, source_field, to_field

    def serialize_result(self, obj: Model, to_field_name: str) -> dict[str, str]:
        self.shown.append(obj)
        return super().serialize_result(obj, to_field_name) | {"text": option_text(obj)}


class ClinicAdminSite(AdminSite):
    """Django admin for users with `clinic.use_admin`; the portal's login and logout replace the admin's own."""

    site_header = f"{settings.CLINIC_NAME} administration"
    site_title = f"{settings.CLINIC_NAME} administration"
    index_title = "Records"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user's role opens the admin; `is_staff` is not used."""
        return request.user.is_active and request.user.has_perm("clinic.use_admin")

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show also when expired data was last deleted."""
        return super().index(request, {"tidy": {"run": TidyRun.objects.last()}} | (extra_context or {}))

    def autocomplete_view(self, request: HttpRequest) -> Any:
        return RecordingAutocompleteView.as_view(admin_site=self)(request)

    def login(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        if self.has_permission(request):
            return redirect("admin:index")
        return redirect_to_login(return_url(request, "/admin/"))

    def logout(self, request: HttpRequest, extra_context: object = None) -> Any:
        return SignOutView.as_view()(request)

    def password_change(self, request: HttpRequest, extra_context: object = None) -> Any:
        return redirect("password_change")

    @method_decorator(require_safe)
    def password_change_done(self, request: HttpRequest, extra_context: object = None) -> Any:
        return redirect("password_change_done")
