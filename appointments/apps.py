"""The appointments app."""

from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    """Appointments of patients to doctors."""

    name = "appointments"

    def ready(self) -> None:
        from appointments.personal_data import AppointmentData
        from patients.privacy import holders

        holders.register(AppointmentData())
