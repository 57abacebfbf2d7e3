"""Pages that import doctors from files. Who may call which is in `clinic.web.page_access`."""

from django.http import HttpResponse

from clinic.db.transactions import retrying, waiting_longer
from clinic.spreadsheets.views import preview_page, upload_page
from clinic.web.http import StaffRequest
from doctors.imports import DoctorImporter


@waiting_longer()
@retrying
def doctor_import(request: StaffRequest) -> HttpResponse:
    return upload_page(request, DoctorImporter())


@waiting_longer()
@retrying
def doctor_import_preview(request: StaffRequest, pk: int) -> HttpResponse:
    return preview_page(request, DoctorImporter(), pk)
