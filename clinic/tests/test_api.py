"""Behaviour of every API call: tokens, errors, repeats, and the schema."""

import datetime as dt
import hashlib
import json
import re
import uuid
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIRequest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic import wsgi
from clinic.models import ApiToken, AuditEntry, StoredResponse, User, digest_of
from clinic.tests.api_client import ApiClient, error_codes, token_of
from clinic.tests.kit import Cases
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

NOW = dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)
ANA = {"first_name": "Ana", "last_name": "Lopes", "email": "ana.lopes@example.com"}


# Tokens


def test_call_without_a_valid_token_answers_401(receptionist):
    with Cases() as case:
        for authorization in ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic abc", "Token {}", "{}"]:
            with case(authorization):
                program = ApiClient(token="")

                response = program.get("/doctors", Authorization=authorization.format(token_of(receptionist)))

                assert (response.status_code, error_codes(response)) == (401, [])
                assert response["WWW-Authenticate"] == "Bearer"


def test_call_with_a_token_is_served(receptionist):
    with Cases() as case:
        for scheme in ["Bearer", "bearer", "BEARER"]:
            with case(scheme):
                assert (
                    ApiClient().get("/doctors", Authorization=f"{scheme} {token_of(receptionist)}").status_code == 200
                )


@pytest.mark.both_databases
def test_token_ends_by_its_date_by_revocation_and_with_its_user(receptionist, now):
    expiring, revoked, of_user = (ApiClient(receptionist) for _ in range(3))
    ApiToken.objects.filter(digest=digest_of(expiring.token)).update(expires_at=NOW + dt.timedelta(seconds=1))
    ApiToken.objects.get(digest=digest_of(revoked.token)).revoke()

    assert expiring.get("/doctors").status_code == 200
    now.shift(1)
    assert expiring.get("/doctors").status_code == 401
    assert revoked.get("/doctors").status_code == 401
    assert of_user.get("/doctors").status_code == 200
    receptionist.is_active = False
    receptionist.save()
    assert of_user.get("/doctors").status_code == 401


@pytest.fixture
def with_tls(settings):
    """HTTPS as in production."""
    settings.USE_HTTPS = settings.SECURE_SSL_REDIRECT = True


def test_unencrypted_call_is_refused_and_not_redirected(receptionist, with_tls):
    with Cases() as case:
        for path in ["/doctors", "/fhir/Patient", "/openapi.json", "/nothing"]:
            with case(path):
                program = ApiClient(receptionist)

                response = program.get(path)

                assert response.status_code == 403
                assert "Location" not in response
                assert ApiToken.objects.get().last_used_at is None


def test_call_with_tls_is_served(receptionist, with_tls):
    headers = {"Authorization": f"Bearer {token_of(receptionist)}"}

    assert Client().get("/api/doctors", headers=headers, secure=True).status_code == 200


def test_unencrypted_documentation_redirects_like_pages(with_tls):
    response = Client().get("/api/docs")

    assert (response.status_code, response["Location"]) == (301, "https://testserver/api/docs")


def test_session_gives_no_api_access(at_desk):
    assert at_desk.get("/api/doctors").status_code == 401
    assert at_desk.get("/api/fhir/Practitioner").status_code == 401  # ninja asks for a token once more, FHIR does not
    assert at_desk.post("/api/patients", json.dumps(ANA), content_type="application/json").status_code == 401


def test_token_opens_no_page(receptionist):
    response = Client().get("/doctors/", headers={"Authorization": f"Bearer {token_of(receptionist)}"})

    assert response.status_code == 302


def test_token_secret_is_not_stored(receptionist):
    text = token_of(receptionist)

    token = ApiToken.objects.get()
    assert len(text.removeprefix("pes_")) == 43  # 256 bits
    assert token.digest == hashlib.sha256(text.encode()).hexdigest()
    assert text not in [str(getattr(token, field.attname)) for field in token._meta.fields]
    assert text not in str([entry.changes for entry in AuditEntry.objects.all()])
    assert token.digest not in str([entry.changes for entry in AuditEntry.objects.all()])


@pytest.mark.both_databases
def test_use_of_a_token_is_recorded_to_the_minute(receptionist, now):
    program = ApiClient(receptionist)
    seen = []

    for seconds in (0, 59, 60):
        now.move_to(NOW + dt.timedelta(seconds=seconds))
        program.get("/doctors")
        seen.append(ApiToken.objects.get().last_used_at)

    assert seen == [NOW, NOW, NOW + dt.timedelta(seconds=60)]


def test_too_many_calls_answer_429_to_this_token_only(receptionist, settings, now):
    settings.API_CALLS_A_MINUTE = 3
    cache.clear()
    greedy, other = ApiClient(receptionist), ApiClient(receptionist)
    now.shift(20)

    answers = [greedy.get("/doctors") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert (answers[3]["Retry-After"], error_codes(answers[3])) == ("40", [])
    assert other.get("/doctors").status_code == 200
    now.shift(40)
    assert greedy.get("/doctors").status_code == 200


# Making tokens


def made(*args):
    output = StringIO()
    call_command("create_api_token", *args, stdout=output)
    return output.getvalue().splitlines()


def test_command_prints_the_token_alone_in_the_last_line(receptionist):
    lines = made("reception", "--name", "Phone system", "--days", "90")

    assert ApiClient(token=lines[-1]).get("/doctors").status_code == 200
    token = ApiToken.objects.get()
    assert (token.name, token.user, token.expires_at) == ("Phone system", receptionist, NOW + dt.timedelta(days=90))


def test_command_refuses_invalid_arguments(receptionist):
    table = [("nobody",), ("reception", "--days", "0"), ("reception", "--days", "4000"), ("reception", "--name", "")]
    with Cases() as case:
        for args in table:
            with case(args):
                with pytest.raises(CommandError):
                    made(*args)

                assert not ApiToken.objects.exists()


def test_administrator_creates_a_token_that_is_shown_once(in_admin, receptionist):
    response = in_admin.post(
        reverse("admin:clinic_apitoken_add"),
        {"user": receptionist.pk, "name": "Phone system", "expires_at_0": "24/11/2027", "expires_at_1": "09:00"},
    )

    assert response.status_code == 200
    text = re.search(r">(pes_[^<]+)<", response.content.decode())[1]
    assert ApiClient(token=text).get("/doctors").status_code == 200
    later = in_admin.get(reverse("admin:clinic_apitoken_change", args=[ApiToken.objects.get().pk])).content.decode()
    assert text not in later
    assert text[:10] in later


def test_administrator_revokes_a_token(in_admin, receptionist, administrator):
    program = ApiClient(receptionist)
    token = ApiToken.objects.get()

    in_admin.post(
        reverse("admin:clinic_apitoken_changelist"), {"action": "revoke", "_selected_action": [token.pk], "index": 0}
    )

    assert program.get("/doctors").status_code == 401
    assert AuditEntry.objects.get_for_object(token).order_by("-pk").first().actor == administrator


@pytest.mark.both_databases
def test_stale_form_does_not_undo_a_revocation(in_admin, receptionist, monkeypatch):
    program = ApiClient(receptionist)
    token = ApiToken.objects.get()
    saves = ApiToken.save

    def revoke_first(self, *args, **kwargs):
        monkeypatch.setattr(ApiToken, "save", saves)
        ApiToken.objects.get().revoke()  # between the read and the save of the other
        self.save(*args, **kwargs)

    monkeypatch.setattr(ApiToken, "save", revoke_first)
    in_admin.post(reverse("admin:clinic_apitoken_change", args=[token.pk]), {"name": "Another name"})

    assert ApiToken.objects.get().name == "Another name"
    assert program.get("/doctors").status_code == 401


@pytest.mark.parametrize("missing", ["cache keeps nothing", "key is gone"])
def test_cache_that_cannot_count_refuses_no_call(api, settings, monkeypatch, missing):
    settings.API_CALLS_A_MINUTE = 1
    if missing == "key is gone":
        monkeypatch.setattr(cache, "add", lambda *args, **kwargs: False)
        cache.clear()
    else:
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

    assert [api.get("/doctors").status_code for _ in range(2)] == [200, 200]


def test_token_for_an_inactive_user_or_with_a_past_end_is_refused(in_admin, receptionist):
    receptionist.is_active = False
    receptionist.save()

    response = in_admin.post(
        reverse("admin:clinic_apitoken_add"),
        {"user": receptionist.pk, "name": "Old", "expires_at_0": "24/11/2026", "expires_at_1": "09:00"},
    )

    assert set(response.context["adminform"].form.errors) == {"user", "expires_at"}
    with pytest.raises(CommandError, match="not active"):
        made("reception")
    assert not ApiToken.objects.exists()


def test_administrator_cannot_create_a_token_beyond_the_roles(in_admin):
    superuser = User.objects.create_superuser("root")

    response = in_admin.post(reverse("admin:clinic_apitoken_add"), {"user": superuser.pk, "name": "All of it"})

    assert list(response.context["adminform"].form.errors) == ["user"]
    assert not ApiToken.objects.exists()


def test_revoked_token_cannot_be_changed(in_admin, receptionist):
    ApiClient(receptionist)
    token = ApiToken.objects.get()
    token.revoke()

    in_admin.post(reverse("admin:clinic_apitoken_change", args=[token.pk]), {"name": "Another name"})

    assert ApiToken.objects.get().name == "test"
    assert "revoked" in in_admin.get(reverse("admin:clinic_apitoken_changelist")).content.decode()


def test_expired_token_cannot_be_extended(in_admin, receptionist, now):
    program = ApiClient(receptionist)
    token = ApiToken.objects.get()
    token.expires_at = timezone.now() - dt.timedelta(days=5)
    token.save()

    later = {"name": "Another name", "expires_at_0": "24/11/2027", "expires_at_1": "09:00"}
    in_admin.post(reverse("admin:clinic_apitoken_change", args=[token.pk]), later)

    assert program.get("/doctors").status_code == 401


def test_administrator_cannot_change_a_superusers_token(in_admin):
    superuser = User.objects.create_superuser("root")
    program = ApiClient(superuser)
    token = ApiToken.objects.get()

    changed = in_admin.post(reverse("admin:clinic_apitoken_change", args=[token.pk]), {"name": "Another name"})
    in_admin.post(reverse("admin:clinic_apitoken_changelist"), {"action": "revoke", "_selected_action": [token.pk]})

    assert changed.status_code == 403
    assert ApiToken.objects.get().name == "test"
    assert program.get("/doctors").status_code == 200


def test_session_gives_no_api_access_below_a_prefix(at_desk):
    assert at_desk.get("/api/doctors", SCRIPT_NAME="/clinic").status_code == 401
    assert at_desk.get("/api/fhir/Practitioner", SCRIPT_NAME="/clinic").status_code == 401


# Errors


def test_unknown_urls_and_methods(api):
    table = [
        ("GET", "/nothing", 404),
        ("POST", "/nothing/at/all", 404),
        ("DELETE", "/doctors", 405),
        ("PUT", "/doctors", 405),
        ("HEAD", "/doctors", 405),
        ("OPTIONS", "/doctors", 405),
    ]
    with Cases() as case:
        for method, path, status in table:
            with case(method, path, status):
                response = api.call(method, path)

                assert response.status_code == status
                assert response["Content-Type"].startswith("application/json")
                if status == 405:
                    assert response["Allow"] == "GET, POST"


@pytest.mark.both_databases
def test_invalid_bodies(api):
    table = [
        ("{", "application/json", 400),
        ("", "application/json", 422),
        (b"\xff\xfe", "application/json", 400),
        ("[" * 50_000, "application/json", 400),
        ("9" * 5_000, "application/json", 400),
        ("null", "application/json", 422),
        ("[]", "application/json", 422),
        ("NaN", "application/json", 400),
        ('{"first_name": NaN, "last_name": Infinity, "email": -Infinity}', "application/json", 400),
        ('{"first_name": "\\ud800", "last_name": "x", "email": "a@example.com"}', "application/json", 422),
        ("{}", "text/plain", 415),
        ("first_name=Ana", "application/x-www-form-urlencoded", 415),
        ("x" * 100_001, "application/json", 413),
    ]
    with Cases() as case:
        for raw, content_type, status in table:
            with case(raw, content_type, status):
                response = api.call("POST", "/patients", raw=raw, content_type=content_type)

                assert response.status_code == status
                error_codes(response)
                assert not Patient.objects.exists()


def test_actions_refuse_an_invalid_body(api):
    with Cases() as case:
        for raw in ["{", "[" * 50_000, "9" * 5_000, b"\xff\xfe"]:
            for key in [{}, {"Idempotency_Key": "0b51ec12-2f5c-4c0c-9d3f-1f1b27d1d3b4"}]:
                with case(raw, key):
                    appointment = api.post("/appointments", booking()).json()["id"]

                    assert api.call("POST", f"/appointments/{appointment}/arrive", raw=raw, **key).status_code == 400


def test_actions_need_no_body(api):
    with Cases() as case:
        for body, status in [(None, 200), ({}, 200), ({"at": "10:00"}, 422), ([], 422)]:
            with case(body, status):
                appointment = api.post("/appointments", booking()).json()["id"]

                assert api.post(f"/appointments/{appointment}/arrive", body).status_code == status


def test_body_that_programs_read_differently_is_refused(api):
    name = '"first_name": "Ana", "last_name": "Lopes", "email": "ana@example.com"'
    said = {
        f'{{{name}, "email": "eva@example.com"}}': "same name twice",
        f'{{{name}, "more": [{{"x": 1, "\\u0078": 2}}]}}': "same name twice",
        f'{{{name}, "more": NaN}}': "NaN is not a number",
        f'{{{name}, "more": [-Infinity]}}': "-Infinity is not a number",
        "[" * 50_000: "could not be understood",
        "9" * 5_000: "could not be understood",
    }
    for body, message in said.items():
        response = api.post("/patients", raw=body)

        assert (response.status_code, error_codes(response)) == (400, [])
        assert message in response.json()["detail"]
    assert not Patient.objects.exists()


def test_lone_surrogates_in_a_body_are_refused(api):
    body = {"first_name": "Ana", "last_name": "Lopes", "email": "ana@example.com"}

    assert api.post("/patients", body | {"first_name": "Ana\ud800"}).status_code == 422
    assert api.post("/patients", body | {"x\udfff": 1}).status_code == 422


def test_body_in_chunks_answers_411(api):
    assert api.post("/patients", ANA, Transfer_Encoding="chunked").status_code == 411


def test_declared_charset_makes_no_difference(monkeypatch):
    read = []
    monkeypatch.setattr(wsgi, "_serve", lambda environ, start_response: read.append(WSGIRequest(environ)) or [])
    with Cases() as case:
        for charset in ["hex", "rot13", "punycode", "utf-16", "none-such", "utf-8"]:
            with case(charset):
                read.clear()
                environ = RequestFactory().get("/api/doctors?is_active=tr%C3%BCe").environ

                wsgi.application(environ | {"CONTENT_TYPE": f"application/json; charset={charset}; boundary=x"}, None)

                assert read[0].GET["is_active"] == "trüe"
                assert (read[0].content_type, read[0].content_params) == ("application/json", {"boundary": "x"})


def test_number_of_errors_is_limited(api):
    response = api.post("/patients", {f"field{number}": 1 for number in range(1000)})

    assert response.status_code == 422
    assert len(error_codes(response)) == 20


def test_records_have_only_the_listed_fields(api, patient, doctor):
    appointment = AppointmentFactory(patient=patient, doctor=doctor)
    listed = {
        f"/patients/{patient.pk}": "id first_name last_name email phone_number date_of_birth created_at updated_at",
        f"/doctors/{doctor.pk}": "id full_name specialization is_active usual_minutes gap_minutes created_at",
        f"/appointments/{appointment.pk}": "id patient_id doctor_id start_time duration_minutes end_time status reason "
        "notes outside_hours_reason arrived_at started_at completed_at left_at cancelled_at cancelled_by cancel_reason "
        "is_walk_in created_at updated_at",
    }

    assert {path: set(api.get(path).json()) for path in listed} == {
        path: set(names.split()) for path, names in listed.items()
    }


def test_unknown_query_parameters_are_refused(api):
    table = [
        ("/appointments?date=2026-11-24&doctor=3", "doctor"),
        ("/doctors?active=true", "active"),
        ("/doctors/999999?verbose=1", "verbose"),
    ]
    with Cases() as case:
        for path, name in table:
            with case(path, name):
                response = api.get(path)

                assert (response.status_code, error_codes(response)) == (422, [(name, "extra_forbidden")])
    of_the_body = api.post("/patients?email=other@example.com", ANA)
    assert (of_the_body.status_code, error_codes(of_the_body)) == (422, [("email", "extra_forbidden")])


@pytest.mark.both_databases
def test_busy_database_answers_503_with_retry_after(api, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr(Patient, "full_clean", away)

    response = api.post("/patients", ANA)

    assert (response.status_code, response["Retry-After"], error_codes(response)) == (503, "5", [])


def test_unavailable_database_at_token_lookup_answers_503(api, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr(ApiToken, "in_force", away)

    assert api.get("/doctors").status_code == 503


def test_internal_error_answers_500_without_details(api, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("Maria Santos")

    monkeypatch.setattr(Patient, "full_clean", fail)

    response = api.post("/patients", ANA)

    assert (response.status_code, error_codes(response)) == (500, [])
    assert "Maria" not in response.content.decode()


@pytest.mark.parametrize("path", ["/nothing", "/patients/999999"])
def test_errors_are_not_html_in_debug_mode(api, settings, path):
    settings.DEBUG = True

    assert error_codes(api.get(path)) == []


# Safe repeats


@pytest.mark.both_databases
def test_same_key_gives_the_same_answer_and_does_nothing_more(api):
    key = str(uuid.uuid4())

    first = api.post("/patients", ANA, Idempotency_Key=key)
    Patient.objects.get().delete()
    again = api.post("/patients", dict(reversed(ANA.items())), Idempotency_Key=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert all(first[name] == again[name] for name in ("ETag", "Location", "Content-Type"))
    assert not Patient.objects.exists()


def test_response_with_a_key_equals_one_without(api):
    with_key = api.post("/patients", ANA, Idempotency_Key=str(uuid.uuid4()))
    without = api.get(with_key["Location"].removeprefix("/api"))

    assert with_key.json() == without.json()
    assert with_key["ETag"] == without["ETag"]


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "other", [("/patients", ANA | {"first_name": "Anna"}), ("/patients", {**ANA, "phone_number": ""})]
)
def test_same_key_with_other_content_answers_409(api, other):
    key = str(uuid.uuid4())
    api.post("/patients", ANA, Idempotency_Key=key)

    response = api.post(*other, Idempotency_Key=key)

    assert (response.status_code, error_codes(response)) == (409, [(None, "idempotency_key_used")])
    assert Patient.objects.count() == 1


def test_same_key_at_another_address_answers_409(admin_api):
    appointment = admin_api.post("/appointments", booking()).json()["id"]
    key = str(uuid.uuid4())
    admin_api.post(f"/appointments/{appointment}/arrive", Idempotency_Key=key)

    assert admin_api.post(f"/appointments/{appointment}/start", Idempotency_Key=key).status_code == 409


def booking():
    from doctors.tests.factories import DoctorFactory

    start = "2026-11-24T10:00:00Z"
    return {"patient_id": PatientFactory().pk, "doctor_id": DoctorFactory().pk, "start_time": start}


@pytest.mark.both_databases
def test_action_sent_twice_with_a_key_is_done_once(api):
    appointment = api.post("/appointments", booking()).json()["id"]
    key = str(uuid.uuid4())

    answers = [api.post(f"/appointments/{appointment}/arrive", Idempotency_Key=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert Appointment.objects.get().version == 2


@pytest.mark.both_databases
def test_same_key_of_another_user_is_a_different_key(api, admin_api):
    key = str(uuid.uuid4())
    api.post("/patients", ANA, Idempotency_Key=key)

    response = admin_api.post("/patients", ANA | {"email": "other@example.com"}, Idempotency_Key=key)

    assert response.status_code == 201


@pytest.mark.both_databases
def test_refusal_is_not_stored(api):
    key = str(uuid.uuid4())
    ana = Patient.objects.create(**ANA)

    refused = api.post("/patients", ANA, Idempotency_Key=key)
    ana.delete()
    done = api.post("/patients", ANA, Idempotency_Key=key)

    assert (refused.status_code, done.status_code) == (400, 201)


def test_key_that_is_not_a_uuid_answers_422(api):
    with Cases() as case:
        for key in ["", "7", "not-a-uuid"]:
            with case(key):
                response = api.post("/patients", ANA, Idempotency_Key=key)

                assert response.status_code == 422
                assert not Patient.objects.exists()


@pytest.mark.both_databases
def test_stored_responses_are_deleted_after_a_day(api, now):
    api.post("/patients", ANA, Idempotency_Key=str(uuid.uuid4()))
    now.shift(12 * 60 * 60)
    api.post("/patients", ANA | {"email": "other@example.com"}, Idempotency_Key=str(uuid.uuid4()))
    now.shift(12 * 60 * 60 + 1)

    api.get("/doctors")

    assert [json.loads(stored.body)["email"] for stored in StoredResponse.objects.all()] == ["other@example.com"]


def test_stored_responses_are_deleted_without_further_calls(api, client, receptionist, now):
    api.post("/patients", ANA, Idempotency_Key=str(uuid.uuid4()))
    now.shift(24 * 60 * 60 + 1)

    client.post("/accounts/login/", {"username": "reception", "password": "demo-clinic-2026"})

    assert not StoredResponse.objects.exists()


@pytest.mark.both_databases
def test_failed_request_stores_no_response(api, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(StoredResponse, "save", fail)

    assert api.post("/patients", ANA, Idempotency_Key=str(uuid.uuid4())).status_code == 500
    assert (Patient.objects.count(), StoredResponse.objects.count()) == (0, 0)
