from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path, register_converter

from clinic.account_pages import session_views, views
from clinic.api import api, to_docs
from clinic.audit_trail import views as trail_views
from clinic.core.converters import DateConverter
from clinic.ops import health
from clinic.web import error_pages

register_converter(DateConverter, "date")

handler400 = "clinic.web.error_pages.bad_request"
handler403 = "clinic.web.error_pages.forbidden"
handler404 = "clinic.web.error_pages.not_found"
handler500 = "clinic.web.error_pages.server_error"

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("accounts/login/", views.PortalLoginView.as_view(), name="login"),
    path("accounts/login/code/", views.login_code, name="login_code"),
    path("accounts/", views.account, name="account"),
    path("accounts/confirm/", views.confirm, name="confirm"),
    path("accounts/second-factor/", views.set_up_second_factor, name="second_factor"),
    path("accounts/logout/", session_views.SignOutView.as_view(), name="logout"),
    path("accounts/sessions/", session_views.session_list, name="session_list"),
    path("accounts/sessions/left/", session_views.session_left, name="session_left"),
    path("accounts/sessions/end-others/", session_views.session_end_others, name="session_end_others"),
    path("accounts/sessions/<str:handle>/end/", session_views.session_end, name="session_end"),
    path("accounts/stay/", session_views.session_stay, name="session_stay"),
    path("accounts/kept-form/", session_views.form_keep, name="form_keep"),
    path("accounts/password_change/", views.OwnPasswordView.as_view(), name="password_change"),
    path("accounts/password_change/done/", auth_views.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("audit/", trail_views.audit_trail, name="audit_trail"),
    path("patients/", include("patients.urls")),
    path("doctors/", include("doctors.urls")),
    path("api/fhir/", include("appointments.fhir.urls")),
    path("admin/", admin.site.urls),
    path("api/", to_docs, name="api_root"),
    path("api/", api.urls),
    path("api/<path:unknown>", error_pages.unknown_api, name="api_unknown"),
    path("", include("appointments.urls")),
]
