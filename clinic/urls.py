"""The portal's addresses. Who may call them is in `clinic.access`."""

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path, register_converter

from clinic import error_pages, health
from clinic.api import api, to_docs
from clinic.converters import DateConverter

register_converter(DateConverter, "date")

handler400 = "clinic.error_pages.bad_request"
handler403 = "clinic.error_pages.forbidden"
handler404 = "clinic.error_pages.not_found"
handler500 = "clinic.error_pages.server_error"

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("accounts/login/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("accounts/password_change/", auth_views.PasswordChangeView.as_view(), name="password_change"),
    path("accounts/password_change/done/", auth_views.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("patients/", include("patients.urls")),
    path("doctors/", include("doctors.urls")),
    path("api/fhir/", include("appointments.fhir.urls")),
    path("admin/", admin.site.urls),
    path("api/", to_docs, name="api_root"),
    path("api/", api.urls),
    path("api/<path:unknown>", error_pages.unknown_api, name="api_unknown"),
    path("", include("appointments.urls")),
]
