"""Makes Django admin use the clinic's site; apart from `apps.py`, where Django looks for one config only."""

from django.contrib.admin.apps import AdminConfig


class ClinicAdminConfig(AdminConfig):
    """Django admin, opened by the portal's roles and the portal's own login."""

    default_site = "clinic.administration.site.ClinicAdminSite"
