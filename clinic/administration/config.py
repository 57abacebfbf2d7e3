from django.contrib.admin.apps import AdminConfig


class ClinicAdminConfig(AdminConfig):
    """Makes Django admin use the clinic's site. Apart from `apps.py`, where Django looks for one config only."""

    default_site = "clinic.administration.site.ClinicAdminSite"
