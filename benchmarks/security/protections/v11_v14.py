"""What protects the rows of V11 to V14: cryptography, communication, configuration, data protection."""

from benchmarks.security.protections import Protection

ACCESS = "clinic/tests/test_access.py"
API = "clinic/tests/test_api.py"
PAGES = "clinic/tests/test_pages.py"
SAVED_FORMS = "clinic/tests/test_saved_forms.py"
SECURITY_DOCS = "clinic/tests/test_security_docs.py"
SESSIONS = "clinic/tests/test_sessions.py"
SETTINGS = "clinic/tests/test_settings.py"
PATIENT_PAGES = "patients/tests/test_pages.py"
CRAWL = f"{ACCESS}::test_crawl_finds_no_unexpected_response"

MD5 = 'PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]\n'
V11 = (
    Protection(
        "11.1.1, 11.1.2",
        "earlier keys are not read",
        "clinic/settings.py",
        'SECRET_KEY_FALLBACKS = env.former_keys("SECRET_KEY_FALLBACKS", is_development=DEBUG)',
        "SECRET_KEY_FALLBACKS: list[str] = []",
    ),
    Protection(
        "11.2.1, 11.2.3",
        "passwords are hashed with MD5",
        "clinic/settings.py",
        'AUTH_USER_MODEL = "clinic.User"\n',
        f'AUTH_USER_MODEL = "clinic.User"\n{MD5}',
    ),
    Protection(
        "11.2.2",
        "sessions are compared with the present key only",
        "clinic/sessions/signed_in.py",
        "            request._cached_user = auth.get_user(request)\n",
        "            user = request.session.user\n"
        "            is_same = user and request.session[auth.HASH_SESSION_KEY] == user.get_session_auth_hash()\n"
        "            request._cached_user = auth.get_user(request) if is_same else AnonymousUser()\n",
        (f"{SETTINGS}::test_session_survives_a_key_rotation",),
    ),
    Protection(
        "11.2.2",
        "a login leaves the hash as it is",
        "clinic/backends.py",
        "user: User | None = super().authenticate(request, username, password, **kwargs)",
        "from django.contrib.auth.hashers import verify_password\n\n"
        "        from clinic.accounts.models import User as Users\n\n"
        "        user = Users.objects.filter(username=username, is_active=True).first()\n"
        "        user = user if user and verify_password(password, user.password)[0] else None",
        (f"{SETTINGS}::test_old_password_hash_is_renewed_at_the_login",),
    ),
    Protection(
        "11.4.1, 11.4.3",
        "tokens are hashed with MD5",
        "clinic/rest/models.py",
        "hashlib.sha256(text.encode())",
        "hashlib.md5(text.encode())",
    ),
    Protection(
        "11.4.1, 11.4.3",
        "tokens are stored as they are",
        "clinic/rest/models.py",
        "text[:SHOWN_CHARACTERS], digest_of(text)",
        "text[:SHOWN_CHARACTERS], text",
    ),
    Protection(
        "11.4.1, 11.4.3",
        "the audit trail contains the hashes of tokens",
        "clinic/rest/models.py",
        'exclude_fields=["digest", "last_used_at"]',
        'exclude_fields=["last_used_at"]',
    ),
    Protection(
        "11.4.2",
        "passwords are hashed with SHA-1",
        "clinic/settings.py",
        'AUTH_USER_MODEL = "clinic.User"\n',
        f'AUTH_USER_MODEL = "clinic.User"\n{MD5.replace("MD5", "PBKDF2SHA1")}',
    ),
    Protection(
        "11.5.1",
        "tokens and addresses of feeds have 96 bits",
        "clinic/rest/models.py",
        "TOKEN_BYTES = 32",
        "TOKEN_BYTES = 12",
        (
            "appointments/tests/test_calendar.py::test_only_the_digest_of_the_token_is_stored",
            f"{API}::test_token_secret_is_not_stored",
        ),
    ),
    Protection(
        "11.5.1",
        "sessions have short keys that can be guessed",
        "clinic/sessions/store.py",
        "    ended_for: int | None = None\n",
        "    ended_for: int | None = None\n\n    def _get_new_session_key(self) -> str:\n"
        "        from secrets import token_hex\n\n        return token_hex(4)\n",
        (f"{SESSIONS}::test_session_key_is_random_and_in_the_database",),
    ),
)

V12_AND_V13 = (
    Protection(
        "12.2.1",
        "pages are served by plain HTTP",
        "clinic/settings.py",
        '    "django.middleware.security.SecurityMiddleware",\n',
        "",
        ("clinic/tests/test_headers.py::test_redirect_to_https_has_all_headers_except_hsts",),
    ),
    Protection(
        "12.2.1",
        "production does not redirect to HTTPS",
        "clinic/settings.py",
        "SECURE_SSL_REDIRECT = USE_HTTPS",
        "SECURE_SSL_REDIRECT = False",
        (f"{SETTINGS}::test_production_redirects_to_https_with_hsts",),
    ),
    Protection(
        "12.2.1",
        "browsers are not told to use HTTPS for a year",
        "clinic/settings.py",
        "SECURE_HSTS_SECONDS = 31_536_000 if USE_HTTPS else 0",
        "SECURE_HSTS_SECONDS = 0",
        (f"{SETTINGS}::test_production_redirects_to_https_with_hsts",),
    ),
    Protection(
        "12.2.1",
        "API calls are answered without TLS",
        "clinic/core/client_address.py",
        "return settings.USE_HTTPS and not request.is_secure()",
        "return False",
        (f"{API}::test_unencrypted_call_is_refused_and_not_redirected",),
    ),
    Protection(
        "12.3.1, 12.3.2",
        "the check does not notice that the connection has no cipher",
        "clinic/checks.py",
        "return cursor.fetchone()[1]",
        "return str(cursor.fetchone())",
        ("clinic/tests/test_checks.py::test_remote_database_without_tls_gives_a_warning",),
    ),
    Protection(
        "12.3.1, 12.3.2",
        "the options for TLS are lost",
        "clinic/settings.py",
        ' | with_certificate(_database.get("OPTIONS", {}))',
        "",
        (f"{SETTINGS}::test_tls_of_the_database_is_read_from_its_url",),
    ),
    Protection(
        "13.1.1",
        "pages may load images from any host",
        "clinic/settings.py",
        '"img-src": [SELF, "data:"],',
        '"img-src": [SELF, "data:", "*"],',
        (f"{PAGES}::test_security_policy_allows_nothing_inline_and_no_other_host",),
    ),
    Protection(
        "13.1.1",
        "the portal sends mail",
        "clinic/ops/health.py",
        "from django.conf import settings\n",
        "from django.conf import settings\nfrom django.core import mail\n",
        (f"{SECURITY_DOCS}::test_portal_runs_no_commands_and_no_code_from_text",),
    ),
    Protection(
        "13.4.1, 13.4.3",
        "the files of the program are served",
        "clinic/settings.py",
        "WHITENOISE_ALLOW_ALL_ORIGINS = False\n",
        "WHITENOISE_ALLOW_ALL_ORIGINS = False\nWHITENOISE_ROOT = BASE_DIR\n",
    ),
    Protection(
        "13.4.2",
        "DEBUG is on by default",
        "clinic/settings.py",
        'DEBUG = env.switch("DEBUG", default=False)',
        'DEBUG = env.switch("DEBUG", default=True)',
        ("clinic/tests/test_startup.py::test_empty_setting_counts_as_not_set",),
    ),
    Protection(
        "13.4.2",
        "the page about an error shows its text",
        "clinic/web/error_pages.py",
        'HttpResponse(render_to_string("500.html"), status=500)',
        'HttpResponse(render_to_string("500.html") + str(error), status=500)',
        ("clinic/tests/test_errors.py::test_error_page_reveals_no_details",),
    ),
    Protection(
        "13.4.2",
        "a value that is neither on nor off counts as on",
        "clinic/ops/environment.py",
        '    if value not in _ON | _OFF:\n        raise SettingError(name, "on or off")\n    return value in _ON\n',
        "    return value not in _OFF\n",
        ("clinic/tests/test_setting_values.py::test_switch_is_on_or_off",),
    ),
    Protection(
        "13.4.4",
        "methods that are not in the table reach the page",
        "clinic/web/middleware.py",
        "            return _not_allowed(request, allowed)\n",
        "            return None\n",
    ),
    Protection(
        "13.4.5",
        "everybody can read the documentation of the API",
        "clinic/web/page_access.py",
        '"api:openapi-view": {"GET": _STAFF},',
        '"api:openapi-view": {"GET": PUBLIC},',
        (CRAWL,),
    ),
    Protection(
        "13.4.5",
        "/readyz answers everybody",
        "clinic/ops/health.py",
        "if not is_among(client_address(request), settings.READY_FROM):",
        "if False:",
        (
            "clinic/tests/test_stranger.py::test_readyz_answers_only_to_probes",
            "clinic/tests/test_health.py::test_reason_is_shown_to_probes_only",
        ),
    ),
)

V14 = (
    Protection(
        "14.1.1, 14.1.2, 14.2.4",
        "the audit trail records what was searched for",
        "patients/views.py",
        "        record_found(found[:MAX_FOUND])\n",
        "        ids = [patient.pk for patient in found[:MAX_FOUND]]\n"
        "        AuditEntry.objects.record(Event.SEARCH, Patient, patients=ids, query=query)\n",
    ),
    Protection(
        "14.2.1",
        "FHIR takes personal data from the address",
        "appointments/fhir/search.py",
        "if any(_base_name(name) in kind.personal for name, _value in in_address):",
        "if False:",
        ("appointments/tests/test_fhir_search.py::test_personal_data_are_refused_in_the_url",),
    ),
    Protection(
        "14.2.1",
        "the search takes its text from the address, too",
        "patients/views.py",
        'query = request.session.get("patient_query", "")',
        'query = request.GET.get("query") or request.session.get("patient_query", "")',
        (f"{PATIENT_PAGES}::test_search_text_in_the_url_is_ignored",),
    ),
    Protection(
        "14.2.2, 14.3.2",
        "browsers may cache pages",
        "clinic/settings.py",
        '    "clinic.web.middleware.PrivateResponseMiddleware",\n',
        "",
        (CRAWL,),
    ),
    Protection(
        "14.2.2, 14.3.2",
        "the schedule keeps appointments in memory",
        "appointments/schedule/day.py",
        "rows = _read(Appointment.objects.all(), day, all_doctors)",
        'rows = keep({day: ("rows", day)}, lambda _: {day: _read(Appointment.objects.all(), day, all_doctors)})[day]',
        ("appointments/tests/test_kept.py::test_nothing_about_patients_is_kept",),
    ),
    Protection(
        "14.2.2, 14.3.2",
        "the schedule keeps what one user sees and shows it to others",
        "appointments/schedule/day.py",
        "_columns(shown, rows, openings, builder, versions), doctors",
        'keep({day: ("columns", day)}, lambda _: {day: _columns(shown, rows, openings, builder, versions)})[day], '
        "doctors",
        ("appointments/tests/test_kept.py::test_page_shows_the_same_whoever_has_opened_it_before",),
    ),
    Protection(
        "14.2.3",
        "scripts may send what a page shows to another host",
        "clinic/settings.py",
        '"connect-src": [SELF],',
        '"connect-src": [SELF, "*"],',
    ),
    Protection(
        "14.3.1",
        "logging out leaves the browser's cache",
        "clinic/account_pages/session_views.py",
        '        response["Clear-Site-Data"] = \'"cache"\'\n',
        "",
    ),
    Protection(
        "14.3.3",
        "the portal does not save a form, so that a page would have to",
        "clinic/web/saved_forms.py",
        "    retrying(SavedForm.objects.store)(user_id=user.pk, path=path, data=data)\n",
        "",
        (f"{SAVED_FORMS}::test_saved_form_is_shown_after_login_and_not_processed",),
    ),
    Protection(
        "14.3.3",
        "whoever logs in next sees the form",
        "clinic/sessions/saved_forms.py",
        "self.filter(user=user, created_at__gt=",
        "self.filter(created_at__gt=",
        (f"{SAVED_FORMS}::test_another_user_logging_in_does_not_see_the_form",),
    ),
    Protection(
        "14.3.3",
        "forms are saved that their user may not send",
        "clinic/web/saved_forms.py",
        ' or not is_open_to(user, methods_of(page)["POST"])',
        "",
        (f"{SAVED_FORMS}::test_form_without_permission_is_not_saved",),
    ),
    Protection(
        "14.3.3",
        "forms are kept for a day",
        "clinic/sessions/saved_forms.py",
        "FORM_LASTS = dt.timedelta(hours=1)",
        "FORM_LASTS = dt.timedelta(days=1)",
        (f"{SAVED_FORMS}::test_form_lasts_an_hour",),
    ),
    Protection(
        "14.3.3",
        "a script stores every text that is typed",
        "static/js/forms.js",
        "if (field.dataset.savedAs) sessionStorage.setItem(field.dataset.savedAs, field.value);",
        "sessionStorage.setItem(field.dataset.savedAs ?? field.name, field.value);",
        (f"{SECURITY_DOCS}::test_browser_stores_only_a_setting_and_the_reason_of_a_move",),
    ),
    Protection(
        "14.3.3",
        "pages leave what others have stored in the tab",
        "static/js/forms.js",
        "if (!names.includes(name)) sessionStorage.removeItem(name);",
        "if (!name) sessionStorage.removeItem(name);",
        ("clinic/tests/browser/test_sessions.py::test_tab_forgets_the_reason_for_a_move_at_logout",),
    ),
    Protection(
        "14.3.3",
        "the tab keeps the reason of a move when the session ends",
        "static/js/session.js",
        "  sessionStorage.clear(); // notes saved between pages: forms.js\n",
        "",
        ("clinic/tests/browser/test_sessions.py::test_tab_forgets_the_reason_for_a_move_when_the_session_ends",),
        also=(("static/js/forms.js", "if (!names.includes(name))", "if (!name)"),),
    ),
)

PROTECTIONS = V11 + V12_AND_V13 + V14
