"""The admin site: who may enter is a role's permission, and the way in is the portal's login."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.views import redirect_to_login
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from clinic.account_pages.session_views import SignOutView
from clinic.audit.models import AuditEntry, Event


def option_text(record: Model) -> str:
    """Return what a choice shows: more than a name for records that say so, since people share names."""
    return getattr(record, "option_text", str(record))


class TellingAutocompleteView(AutocompleteJsonView):
    """Offers records by what tells them apart, and notes whose data it has shown."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer with the records found."""
        self.shown: list[Model] = []
        response = super().get(request, *args, **kwargs)
        AuditEntry.objects.record_listed(Event.SEARCH, self.model_admin.model, self.shown)
        return response

    def serialize_result(self, obj: Model, to_field_name: str) -> dict[str, str]:
        """Return the id and the text of a record."""
        self.shown.append(obj)
        return super().serialize_result(obj, to_field_name) | {"text": option_text(obj)}


class ClinicAdminSite(AdminSite):
    """Django admin for who holds `clinic.use_admin`."""

    site_header = f"{settings.CLINIC_NAME} administration"
    site_title = f"{settings.CLINIC_NAME} administration"
    index_title = "Records"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user's role opens the admin; `is_staff` plays no part."""
        return request.user.is_active and request.user.has_perm("clinic.use_admin")

    def autocomplete_view(self, request: HttpRequest) -> Any:
        """Answer autocomplete fields."""
        return TellingAutocompleteView.as_view(admin_site=self)(request)

    def login(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """Send a stranger to the portal's one login page."""
        if self.has_permission(request):
            return redirect("admin:index")
        return redirect_to_login(request.GET.get("next", "/admin/"))

    def logout(self, request: HttpRequest, extra_context: object = None) -> Any:
        """Log out as everywhere."""
        return SignOutView.as_view()(request)

    def password_change(self, request: HttpRequest, extra_context: object = None) -> Any:
        """Lead to the portal's page."""
        return redirect("password_change")

    @method_decorator(require_safe)
    def password_change_done(self, request: HttpRequest, extra_context: object = None) -> Any:
        """Lead to the portal's page."""
        return redirect("password_change_done")
