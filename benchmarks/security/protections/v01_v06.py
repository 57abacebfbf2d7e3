"""Protections of the rows of V1 to V6."""

from benchmarks.security.protections import Protection

PROTECTIONS = (
    Protection(
        "2.3.4", "diaries are locked, but not checked afterwards", "appointments/models/diary_checks.py",
        "    if not around.is_doctor_free:\n", "    if False:\n",
    ),
    Protection(
        "3.5.1, 3.5.2", "forms need no CSRF token", "clinic/settings.py",
        '    "django.middleware.csrf.CsrfViewMiddleware",\n', "",
        ("clinic/tests/test_errors.py::test_form_without_csrf_token_shows_an_error_page",),
    ),
)  # fmt: skip
