"""The appointments app."""

from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    """Appointments of patients to doctors."""

    name = "appointments"

    def ready(self) -> None:
        """Tell the apps below, which cannot import this one, where they find what concerns appointments."""
        from appointments.displaced import finder
        from doctors import displacement

        displacement.register(finder)
