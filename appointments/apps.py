"""The appointments app."""

from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    """Appointments of patients to doctors."""

    name = "appointments"
