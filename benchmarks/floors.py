"""The two floors: what Django and the database cost without the portal."""

import uuid
from functools import cache
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.test.client import RequestFactory
from django.urls import path

# Those of `django-admin startproject`.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "benchmarks.floors.own_addresses",
]


def own_addresses(get_response: Any) -> Any:
    """Middleware that resolves requests by the addresses of this module."""

    def respond(request: HttpRequest) -> HttpResponse:
        request.urlconf = __name__  # type: ignore[assignment]  # Django's types do not know that a module's name will do
        return get_response(request)

    return respond


def nothing(request: HttpRequest) -> HttpResponse:
    """Say who is logged in, and nothing else: the session and the user are read."""
    return HttpResponse(str(request.user.pk))


urlpatterns = [path("", nothing)]


def empty_page(client: Any) -> int:
    """Request the empty page in the session of a client of the portal, and return its size."""
    request = RequestFactory().get("/")
    request.COOKIES = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}
    return len(_handler().get_response(request).content)


@cache
def _handler() -> WSGIHandler:
    with override_settings(MIDDLEWARE=MIDDLEWARE):
        return WSGIHandler()


def book_in_sql() -> int:
    """Lock a doctor and a patient, look for overlaps, insert an appointment and its audit entry; roll back."""
    span = ("2027-01-01 10:00:00", "2027-01-01 10:30:00")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE doctors_doctor SET diary_version = diary_version + 1 WHERE id = 1")
        cursor.execute("UPDATE patients_patient SET diary_version = diary_version + 1 WHERE id = 1")
        for diary in ("doctor_id", "patient_id"):
            cursor.execute(
                f"SELECT 1 FROM appointments_appointment WHERE {diary} = 1 AND status IN ('booked', 'arrived', "
                "'in_consultation', 'completed', 'no_show') AND start_time < %s AND start_time > %s AND end_time > %s",
                (span[1], "2027-01-01 07:00:00", span[0]),
            )
        cursor.execute(
            "INSERT INTO appointments_appointment (patient_id, doctor_id, start_time, end_time, duration_minutes, "
            "status, reason, notes, outside_hours_reason, booking_key, cancelled_by, cancel_reason, version, "
            "created_at, updated_at) VALUES (1, 1, %s, %s, 30, 'booked', '', '', '', %s, '', '', 1, %s, %s)",
            (*span, uuid.uuid4().hex, span[0], span[0]),
        )
        cursor.execute(
            "INSERT INTO clinic_auditentry (object_pk, object_id, object_repr, action, changes_text, changes, "
            "timestamp, content_type_id, event, patient_id) VALUES ('1', 1, '', 0, '', '{}', %s, 1, 'write', 1)",
            (span[0],),
        )
        transaction.set_rollback(True)
    return 0
