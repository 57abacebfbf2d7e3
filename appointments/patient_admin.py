"""Admin of patients, with what is kept of them for a short time: who is deleted is to be found there no more."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from appointments.rights import former_values_of
from appointments.short_lived import forget, forget_in_session
from patients import admin as patients_admin
from patients.models import Patient


@admin.register(Patient)
class PatientAdmin(patients_admin.PatientAdmin):
    """Patients."""

    def delete_model(self, request: HttpRequest, obj: Patient) -> None:
        """Delete, and forget the former values as anonymising does; the audit trail keeps them."""
        former = former_values_of(obj)
        super().delete_model(request, obj)
        forget(former)
        # The session of this very request would be saved as it was read.
        forget_in_session(request.session, former)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete one by one, as from the page."""
        for patient in queryset:
            self.delete_model(request, patient)
