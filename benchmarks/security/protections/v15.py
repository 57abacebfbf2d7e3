"""What protects the rows of V15: secure coding."""

from benchmarks.security.protections import Protection

API = "clinic/tests/test_api.py"

PROTECTIONS = (
    Protection(
        "15.1.1, 15.2.1",
        "the report leaves out patches",
        "requirements/outdated.py",
        '"newest patch": newest_patch(pin, versions), ',
        "",
    ),
    Protection(
        "15.1.2",
        "a package is installed in any version, without a hash",
        "requirements/base.txt",
        "asgiref==",
        "anything>=1\nasgiref==",
    ),
    Protection(
        "15.1.3, 15.2.2",
        "a search reads its matches one by one",
        "patients/search.py",
        "size = limit + FEW // 10",
        "size = 1",
        ("patients/tests/test_search.py::test_search_makes_few_queries_however_many_are_found",),
    ),
    Protection(
        "15.1.3, 15.2.2",
        "an export has any length",
        "appointments/export/rows.py",
        "if (last_day - first_day).days >= MAX_EXPORT_DAYS:",
        "if False:",
        ("appointments/tests/test_export.py::test_days_that_cannot_be_exported_are_refused",),
    ),
    Protection(
        "15.1.3, 15.2.2",
        "the server waits for a client for ever",
        "gunicorn.conf.py",
        "listener.sock.setsockopt(socket.SOL_SOCKET, direction, seconds)",
        "pass",
        ("clinic/tests/test_serving.py::test_clients_that_stop_sending_do_not_occupy_the_threads",),
    ),
    Protection(
        "15.2.3",
        "the demo's users can be created in production",
        "clinic/management/commands/load_demo.py",
        "if not settings.DEBUG:",
        "if False:",
    ),
    Protection(
        "15.3.1, 15.3.3",
        "the API accepts fields that no schema lists",
        "clinic/rest/types.py",
        'model_config = ConfigDict(extra="forbid")',
        'model_config = ConfigDict(extra="allow")',
        ("patients/tests/test_api.py::test_registering_refused", "patients/tests/test_api.py::test_change_refused"),
    ),
    Protection(
        "15.3.1, 15.3.3",
        "the form of a user takes more than it should",
        "clinic/admin.py",
        '("Access", {"fields": ["is_active", "groups"]}),',
        '("Access", {"fields": ["is_active", "is_staff", "is_superuser", "groups"]}),',
        ("clinic/tests/test_passwords.py::test_administrator_cannot_create_a_superuser",),
    ),
    Protection(
        "15.3.1, 15.3.3",
        "the API returns every field of a patient",
        "patients/api.py",
        "    id: int\n    first_name: str\n",
        "    id: int\n    name_key: str\n    first_name: str\n",
        (f"{API}::test_records_have_only_the_listed_fields",),
    ),
    Protection(
        "15.3.2",
        "the portal sends requests to other services",
        "clinic/ops/health.py",
        "from django.conf import settings\n",
        "from urllib.request import urlopen  # noqa: F401\n\nfrom django.conf import settings\n",
    ),
    Protection(
        "15.3.4",
        "the address that the client claims counts",
        "clinic/core/client_address.py",
        'forwarded.rpartition(",")[2]',
        'forwarded.partition(",")[0]',
    ),
    Protection(
        "15.3.5",
        "bodies of any media type are read as JSON",
        "clinic/rest/bodies.py",
        "if length and request.content_type != understood:",
        "if False:",
        (f"{API}::test_invalid_bodies",),
    ),
    Protection(
        "15.3.5",
        "a name may be of any type",
        "patients/api.py",
        'FirstName = Annotated[str, text(NAME_LENGTH, least=1, example="Ana")]',
        "FirstName = Any",
        ("patients/tests/test_api.py::test_registering_refused",),
    ),
    Protection(
        "15.3.6",
        "a script sets a property whose name comes from a form",
        "static/js/status-buttons.js",
        "  const values = {",
        "  const typed = {};\n  for (const [name, value] of new FormData(form)) typed[name] = value;\n"
        "  const values = {",
    ),
    Protection(
        "15.3.7",
        "the API ignores unknown parameters",
        "clinic/rest/queries.py",
        "        if unknown:\n",
        "        if False:\n",
    ),
)
