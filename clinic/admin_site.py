"""The admin site: who may enter is a role's permission, and the way in is the portal's login."""

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


class ClinicAdminSite(AdminSite):
    """Django admin for who holds `clinic.use_admin`."""

    site_header = f"{settings.CLINIC_NAME} administration"
    site_title = f"{settings.CLINIC_NAME} administration"
    index_title = "Records"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user's role opens the admin; `is_staff` plays no part."""
        return request.user.is_active and request.user.has_perm("clinic.use_admin")

    def login(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """Send a stranger to the portal's one login page."""
        if self.has_permission(request):
            return redirect("admin:index")
        return redirect_to_login(request.GET.get("next", "/admin/"))
