"""Import and export of patients. Who may open the pages is in `clinic.web.page_access`."""

from collections.abc import Iterator

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from clinic.core import clinic_time
from clinic.db.transactions import retrying, waiting_longer
from clinic.models import AuditEntry, Event
from clinic.spreadsheets.export import FORMATS, sent_rows
from clinic.spreadsheets.views import preview_page, upload_page
from clinic.web.http import StaffRequest
from patients.imports import PatientImporter, PatientResource
from patients.models import Patient

CHUNK_SIZE = 1000


@waiting_longer()
@retrying
def patient_import(request: StaffRequest) -> HttpResponse:
    return upload_page(request, PatientImporter())


@waiting_longer()
@retrying
def patient_import_preview(request: StaffRequest, pk: int) -> HttpResponse:
    return preview_page(request, PatientImporter(), pk)


def patient_export(request: StaffRequest) -> HttpResponseBase:
    as_format = request.GET.get("as")
    if as_format not in FORMATS:
        return render(request, "patients/patient_export.html")
    # Before the first row is sent, so that an interrupted download is recorded, too.
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
    """Yield patients by id, in chunks: MariaDB's driver loads a whole result at once, despite `iterator()`."""
    resource = PatientResource()
    last = 0
    while patients := list(Patient.objects.not_anonymised().filter(pk__gt=last).order_by("pk")[:CHUNK_SIZE]):
        last = patients[-1].pk
        for patient in patients:
            registered = clinic_time.local_date(patient.created_at)
            yield [*resource.export_resource(patient), registered.isoformat()]
