"""Pages that bring patients in from files and out to them. Who may call which is in `clinic.web.page_access`."""

from collections.abc import Iterator

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from clinic.core import clinic_time
from clinic.db.transactions import retrying
from clinic.models import AuditEntry, Event
from clinic.spreadsheets.export import FORMATS, sent_rows
from clinic.spreadsheets.views import preview_page, upload_page
from clinic.web.http import StaffRequest
from patients.imports import PatientImporter, PatientResource
from patients.models import Patient

READ_AT_ONCE = 1000


@retrying
def patient_import(request: StaffRequest) -> HttpResponse:
    """Take a file of patients."""
    return upload_page(request, PatientImporter())


@retrying
def patient_import_preview(request: StaffRequest, pk: int) -> HttpResponse:
    """Show what importing each patient of a file would do; confirm it, or cancel it."""
    return preview_page(request, PatientImporter(), pk)


def patient_export(request: StaffRequest) -> HttpResponseBase:
    """Send all patients as a file, or ask in which format."""
    as_format = request.GET.get("as")
    if as_format not in FORMATS:
        return render(request, "patients/patient_export.html", {"count": Patient.objects.not_anonymised().count()})
    # Before the first row is sent: what has left the portal cannot be called back, be the download broken off.
    AuditEntry.objects.record(Event.EXPORT, Patient, rows=Patient.objects.not_anonymised().count(), format=as_format)
    return sent_rows(
        "patients",
        f"patients-{clinic_time.today()}",
        [*PatientResource().get_export_headers(), "Registered"],
        _rows(),
        user=request.user,
        as_format=as_format,
    )


def _rows() -> Iterator[list[str]]:
    """Yield patients in the order in which they were registered.

    Chunk by chunk by their ids: MariaDB's driver hands a whole result over at once, whatever `iterator()` asks for.
    """
    resource = PatientResource()
    last = 0
    while patients := list(Patient.objects.not_anonymised().filter(pk__gt=last).order_by("pk")[:READ_AT_ONCE]):
        last = patients[-1].pk
        for patient in patients:
            registered = clinic_time.local_date(patient.created_at)
            yield [*resource.export_resource(patient), registered.isoformat()]
