"""One request for each page of the access table, and for each list of the admin, by a user who may open it.

The budgets, the query plans and the benchmark all go through these.
"""

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from clinic.tests.crawl import ADMINISTRATOR, ANONYMOUS, DOCTOR, RECEPTIONIST, REDIRECTING, TABLE
from doctors.models import Doctor

DAY = "2026-11-24"  # of `crawl.TABLE` and of `kit.NOW`
ROLES = (ADMINISTRATOR, RECEPTIONIST, DOCTOR, ANONYMOUS)  # the first that may open a page asks for it
KEY = "11111111-2222-4333-8444-555555555555"

# Pages that are sent by POST although they only show something, and the ways to book. Other POST requests end in a
# redirect or in one of these pages.
SENT = {
    "patients:patient_search": [{"query": "maria silva"}, {"query": "ma"}, {"query": "nobodyhere"}],
    "audit_trail": [{"patient": "{patient}"}],
    "appointments:appointment_book": [
        {
            "patient": "{patient}",
            "doctor": "{doctor}",
            "date": "2026-11-25",
            "time": "10:00",
            "which": "",
            "duration_minutes": 30,
            "reason": "Sore knee",
            "notes": "",
            "booking_key": KEY,
            "next": "",
        }
    ],
    "api:patients_search": [{"q": "maria silva"}],
    "api:appointments": [
        {
            "patient_id": "{patient}",
            "doctor_id": "{doctor}",
            "start_time": "2026-11-25T11:00:00Z",
            "duration_minutes": 30,
            "reason": "Sore knee",
        }
    ],
    "fhir:patient_search_form": [{}, {"name": "ownlast"}, {"family": "ownlast", "given": "ownfirst"}],
    "fhir:practitioner_search_form": [{}],
    "fhir:schedule_search_form": [{"actor": "Practitioner/{doctor}"}],
    "fhir:slot_search_form": [{"schedule": "Schedule/{doctor}", "start": [f"ge{DAY}", "lt2026-11-25"]}],
    "fhir:appointment_search_form": [{"date": DAY}],
}
# More than one look at a page: parts that htmx asks for, layouts, and what a list can be asked for.
MORE = {
    "appointments:schedule_day": (
        "?layout=list",
        "?layout=list&tab=all",
        "?doctor={doctor}",
        "?move={appointment}",
        "?open={appointment}",
        "?away=show",
    ),
    "appointments:schedule_print": ("?now=1",),
    "appointments:appointment_book": ("?patient={patient}&doctor={doctor}",),
    "appointments:free_times": ("?patient={patient}", "?days=14"),
    "appointments:appointment_export": (f"?first={DAY}&last={DAY}&as=csv",),
    "fhir:appointment_search": (f"?date={DAY}", "?patient=Patient/{patient}"),
    "admin:appointments_appointment_changelist": (
        *("?p=2", "?p=5000", "?q=maria+silva", "?q=ma", "?q=nobodyhere", "?o=1", "?o=-1", "?o=-2.1"),
        *("?status__exact=booked", "?status__exact=completed", "?doctor__id__exact={busy_doctor}"),
        *("?doctor__id__exact={busy_doctor}&status__exact=no_show", "?p=last", "?p=after-{appointment}"),
        *("?doctor__specialization=Cardiology", "?doctor__specialization=Cardiology&status__exact=no_show"),
        *("?start_time__year=2026", "?start_time__year=2026&start_time__month=11"),
        "?start_time__year=2026&start_time__month=11&start_time__day=24",
    ),
    "admin:patients_patient_changelist": (
        *("?p=2", "?p=5000", "?q=maria+silva", "?q=ma", "?q=nobodyhere", "?o=1", "?o=-1", "?o=2", "?o=3", "?o=-6"),
        *("?p=last", "?p=after-{patient}", "?created_at__year=2025", "?created_at__year=2025&created_at__month=11"),
        "?created_at__gte=2026-11-24+00%3A00%3A00%2B00%3A00&created_at__lt=2026-11-25+00%3A00%3A00%2B00%3A00",
    ),
    "admin:doctors_doctor_changelist": ("?q=dr", "?is_active__exact=1", "?specialization=Cardiology", "?o=2"),
    "admin:doctors_timetable_changelist": ("?doctor__id__exact={doctor}",),
    "admin:doctors_leave_changelist": ("?doctor__id__exact={doctor}",),
    "admin:clinic_user_changelist": ("?q=user", "?is_active__exact=1"),
    "admin:clinic_apitoken_changelist": ("?q=test",),
    "admin:autocomplete": ("&term=maria", "&term=maria+silva", "&term=nobodyhere"),
}


@dataclass(frozen=True)
class PageRequest:
    """A request by its page's name in the access table; `data` is sent by POST, as JSON or as a form."""

    page: str
    role: str
    template: str  # the address, with the names of objects in braces
    objects: dict
    data: dict | None = None

    def __str__(self):
        typed = [value for value in (self.data or {}).values() if isinstance(value, str) and "{" not in value]
        return " ".join(["GET" if self.data is None else "POST", self.template, *typed[:2]])

    @property
    def address(self):
        return self.template.format(**self.objects)

    @property
    def is_api(self):
        return self.address.startswith("/api")

    @property
    def books(self):
        return self.data is not None and self.page in {"appointments:appointment_book", "api:appointments"}

    def _value(self, value):
        """Fill in ids; a name in braces alone becomes the id itself, which is a number in JSON."""
        if not isinstance(value, str):
            return value
        return self.objects[value[1:-1]] if value.startswith("{") else value.format(**self.objects)

    def send(self, client, token=""):
        """Send the request with this client; a program has the text of a token."""
        headers = {"Authorization": f"Bearer {token}"} if self.is_api and token else {}
        if self.page in BY_HTMX and self.data is not None:
            headers["HX-Request"] = "true"
        if self.data is None:
            return client.get(self.address, headers=headers)
        data = {name: self._value(value) for name, value in self.data.items()}
        if self.is_api and not self.page.startswith("fhir:"):
            return client.post(self.address, json.dumps(data), content_type="application/json", headers=headers)
        body = urlencode(data, doseq=True)
        return client.post(self.address, body, content_type="application/x-www-form-urlencoded", headers=headers)


# While somebody types, only the matches are sent.
BY_HTMX = {"patients:patient_search"}
# Pages that show nothing without a query, and those that answer 404 to everyone.
ONLY_WITH = {
    "api:appointments": f"?date={DAY}",
    "fhir:slot_search": f"?schedule=Schedule/{{doctor}}&start=ge{DAY}&start=lt2026-11-25",
}
NOWHERE = {"api_unknown", "fhir:unknown", "admin/(?P<url>.*)$"}


def page_requests(planted):
    """Yield the requests; `planted` are the ids of `crawl.plant`."""
    objects = planted | {"busy_doctor": Doctor.objects.order_by("pk").values_list("pk", flat=True).first()}
    for page, (address, row) in TABLE.items():
        if page in NOWHERE or REDIRECTING.fullmatch(page):
            continue
        asking, sending = (
            next((role for role in ROLES if role in row.get(verb, ())), None) for verb in ("GET", "POST")
        )
        if asking:
            for more in (ONLY_WITH.get(page, ""), *MORE.get(page, ())):
                yield PageRequest(page, asking, address + more, objects)
        for data in SENT.get(page, ()):
            yield PageRequest(page, sending, address, objects, data)
