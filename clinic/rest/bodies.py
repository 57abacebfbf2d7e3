from django.http import HttpRequest, HttpResponse

from clinic.ops.request_limits import length_of
from clinic.rest.errors import FHIR_ROOT, refuse_call

MAX_BODY = 100_000  # bytes; ten times the longest valid body
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def body_refused(request: HttpRequest) -> HttpResponse | None:
    """Refuse a body that is too large, or in the wrong format, before it is read."""
    if "Transfer-Encoding" in request.headers:
        return refuse_call(request, 411)  # Django would treat such a body as empty
    length = length_of(request)
    if length is None or length > MAX_BODY:
        return refuse_call(request, 413)
    understood = FORM if request.path_info.startswith(FHIR_ROOT) else JSON  # FHIR is searched with forms
    if length and request.content_type != understood:
        return refuse_call(request, 415)
    return None
