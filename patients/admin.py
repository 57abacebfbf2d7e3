"""Admin of patients, as far as it is theirs alone.

`appointments.patient_admin` registers it: there it is known what is kept of them beside the record.
"""

from typing import Any

from django.http import HttpRequest

from clinic.administration.base import ProtectedModelAdmin
from patients.forms import SeenPatientForm


class PatientAdmin(ProtectedModelAdmin):
    """Patients, found by the same folded keys as at the front desk."""

    form = SeenPatientForm
    list_display = ["last_name", "first_name", "date_of_birth", "phone_number", "email", "created_at"]
    list_display_links = ["last_name", "first_name"]
    search_fields = ["name_key"]  # turns the search box on; get_search_results() does the search
    search_help_text = "Name in any order, e-mail or phone number"
    date_hierarchy = "created_at"
    list_filter = ["created_at"]
    readonly_fields = ["created_at", "updated_at"]
    fields = [*SeenPatientForm.Meta.fields, "created_at", "updated_at", "seen_at"]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find by name, e-mail or phone, as everywhere; without a term, list everyone."""
        return (queryset.search(search_term) if search_term.strip() else queryset), False
