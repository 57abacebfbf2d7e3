"""The appointments app."""

from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    """Visits of patients to doctors."""

    name = "appointments"
