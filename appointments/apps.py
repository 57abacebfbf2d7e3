"""The appointments app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AppointmentsConfig(AppConfig):
    """Appointments of patients to doctors."""

    name = "appointments"

    def ready(self) -> None:
        """Tell the apps below, which cannot import this one, what appointments add to them; make the triggers."""
        import appointments.checks  # noqa: F401 -- registers them
        from appointments.displaced import finder
        from appointments.models import Appointment
        from appointments.overlap_triggers import make_triggers
        from appointments.personal_data import AppointmentData
        from doctors import displacement
        from patients import corrections
        from patients.privacy import holders

        displacement.register(finder)
        holders.register(AppointmentData())
        corrections.register(Appointment.renew_days_of_patient)
        post_migrate.connect(make_triggers, sender=self)
