from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from clinic.administration.base import ProtectedModelAdmin
from clinic.administration.lists import first_matches
from patients.forms import VersionedPatientForm
from patients.models import Patient
from patients.privacy.anonymise import former_values_of
from patients.privacy.temporary_data import erase_from_session, erase_temporary_data


@admin.register(Patient)
class PatientAdmin(ProtectedModelAdmin):
    form = VersionedPatientForm
    list_display = ["surname", "first_name", "date_of_birth", "phone_number", "email", "created_at"]
    list_display_links = ["surname", "first_name"]
    indexed_columns = ["surname", "email", "created_at"]
    search_fields = ["name_key"]  # turns the search box on; get_search_results() does the search
    search_help_text = "Name in any order, e-mail or phone number"
    date_hierarchy = "created_at"
    list_filter = ["created_at"]
    readonly_fields = ["created_at", "updated_at"]
    fields = [*VersionedPatientForm.Meta.fields, "created_at", "updated_at", "seen_at"]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=first_matches(request, queryset, search_term)), False

    @admin.display(description="last name", ordering="name_key")
    def surname(self, patient: Patient) -> str:
        return patient.last_name

    def delete_model(self, request: HttpRequest, obj: Patient) -> None:
        """Delete the former values too, as anonymising does; the audit trail keeps them."""
        former = former_values_of(obj)
        super().delete_model(request, obj)
        erase_temporary_data(former)
        # This request's own session would be saved as it was read.
        erase_from_session(request.session, former)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for patient in queryset:
            self.delete_model(request, patient)
