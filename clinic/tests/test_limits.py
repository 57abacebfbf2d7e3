"""Size limits of requests, and that they are checked before reading."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler, TemporaryFileUploadHandler
from django.http import HttpRequest
from django.test import Client
from django.test.client import FakePayload

from clinic.models import ImportDraft
from clinic.ops.request_limits import MAX_FORM, MAX_UPLOAD
from clinic.tests.api_client import token_of
from clinic.tests.kit import Cases, elements
from patients.models import Patient

pytestmark = pytest.mark.usefixtures("db", "now")

FORM = "application/x-www-form-urlencoded"
FILE = "multipart/form-data; boundary=x"  # Django itself refuses a long form unread, but no long file
IMPORTS = ["/patients/import/", "/doctors/import/"]
PAGES = ["/accounts/login/", "/patients/new/", "/patients/", "/appointments/book/", "/admin/patients/patient/add/"]


class Unread(io.RawIOBase):
    """A body that must not be read."""

    def read(self, *args):
        raise AssertionError("the body was read")

    readline = readinto = read


def send(client, address, length, *, method="POST", **headers):
    environment = {"CONTENT_LENGTH": str(length), "CONTENT_TYPE": FORM, "wsgi.input": Unread(), **headers}
    return client.generic(method, address, **environment)


def test_form_over_the_limit_is_refused_unread(in_admin):
    with Cases(client=in_admin) as case:
        for address in PAGES:
            with case(address):
                response = send(in_admin, address, MAX_FORM + 1)

                assert response.status_code == 413
                assert ("h1", {}) in elements(response)


def test_upload_over_the_limit_is_refused_unread(in_admin):
    with Cases(client=in_admin) as case:
        for address in IMPORTS:
            with case(address):
                assert send(in_admin, address, MAX_UPLOAD + 1, CONTENT_TYPE=FILE).status_code == 413


@pytest.mark.parametrize("address", ["/patients/import/7/", "/patients/new/"])
def test_upload_is_large_only_where_files_are_taken(in_admin, address):
    assert send(in_admin, address, MAX_UPLOAD).status_code == 413


def test_non_numeric_length_is_refused_unread(in_admin):
    with Cases(client=in_admin) as case:
        for length in ["-1", "1e3", "0x10", "٣", "lots", "9" * 5000]:
            with case(length):
                assert send(in_admin, "/patients/new/", length).status_code == 413


def test_api_refuses_a_non_numeric_length(receptionist):
    with Cases() as case:
        for length in ["-1", "٣", "9" * 5000]:
            with case(length):
                headers = {"Authorization": f"Bearer {token_of(receptionist)}", "Content-Length": length}

                assert (
                    Client().post("/api/patients", {}, content_type="application/json", headers=headers).status_code
                    == 413
                )


def test_body_in_chunks_is_refused(in_admin):
    response = send(in_admin, "/patients/new/", 0, HTTP_TRANSFER_ENCODING="chunked")

    assert response.status_code == 411


def test_anonymous_body_is_not_read():
    with Cases() as case:
        for address in [*IMPORTS, *PAGES[1:]]:
            with case(address):
                response = send(Client(), address, MAX_FORM - 1)

                assert response["Location"].startswith("/accounts/login/")


def test_import_body_is_not_read_without_permission(at_desk):
    with Cases(client=at_desk) as case:
        for address in IMPORTS:
            with case(address):
                assert send(at_desk, address, MAX_FORM - 1).status_code == 403


def test_body_to_a_page_that_takes_none_is_not_read(in_admin):
    assert send(in_admin, "/doctors/", 1000).status_code == 405
    assert send(in_admin, "/doctors/", MAX_FORM + 1, method="GET").status_code == 413


def test_form_within_the_limit_is_accepted(in_admin):
    query = "x" * (MAX_FORM - 100)

    response = in_admin.post("/patients/", f"query={query}", content_type=FORM)

    assert response.status_code == 302


def upload(client, size):
    file = SimpleUploadedFile("people.csv", b"x" * size)
    return client.post("/patients/import/", {"file": file, "month_first": "day"})


def test_upload_never_touches_the_disk(in_admin, monkeypatch):
    with Cases(client=in_admin) as case:
        for size in [10, 3_000_000, 5 * 1024 * 1024 + 1]:
            with case(size):

                def refuse(*args, **kwargs):
                    raise AssertionError("written to disk")

                monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
                monkeypatch.setattr(TemporaryFileUploadHandler, "new_file", refuse)

                response = upload(in_admin, size)

                assert response.status_code == 200
                assert response.context["form"].errors["file"]
                assert not ImportDraft.objects.exists()


def test_uploads_stay_in_memory():
    handlers = HttpRequest().upload_handlers

    assert [type(handler) for handler in handlers] == [MemoryFileUploadHandler]


def test_form_with_too_many_fields_is_too_large(in_admin):
    response = in_admin.post("/patients/new/", "&".join(f"f{n}=1" for n in range(1001)), content_type=FORM)

    assert response.status_code == 413
    assert "413.html" in [template.name for template in response.templates]


def test_form_with_two_files_is_too_large(in_admin):
    two = {name: SimpleUploadedFile(name, b"x") for name in ("a", "b")}

    assert in_admin.post("/patients/import/", two).status_code == 413


def test_broken_body_is_answered_with_a_page_and_saves_nothing(in_admin):
    table = [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=" + "x" * 300, b"x"),
        ("multipart/form-data; boundary=é", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=first_name\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"A: b\r\n" * 5000),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="x"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n--b--',
        ),
        (FORM, b"\xff\xfe=\xff&first_name=\x00&last_name=\xed\xa0\x80"),
        (FORM, b"%00=%ff&first_name=%00%ff"),
        ("application/json", b"{"),
        ("text/plain", b"first_name=x"),
        ("", b"first_name=x"),
        ("x" * 5000, b"x"),
    ]
    with Cases(client=in_admin) as case:
        for content_type, body in table:
            with case(content_type, body):
                response = in_admin.generic("POST", "/patients/new/", body, content_type=content_type)

                assert response.status_code in {200, 400, 413}
                assert "Traceback" not in response.content.decode()
                assert not Patient.objects.exists()


def test_truncated_body_is_answered(in_admin):
    payload = FakePayload(b"first_name=")

    response = in_admin.generic(
        "POST", "/patients/new/", CONTENT_LENGTH="11", CONTENT_TYPE=FORM, **{"wsgi.input": payload}
    )

    assert response.status_code == 200
