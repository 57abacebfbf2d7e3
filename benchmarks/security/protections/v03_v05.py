"""What protects the rows of V3 to V5: web frontend, API and files."""

from benchmarks.security.protections import Protection

PROTECTIONS = (
    Protection(
        "3.2.1", "no content security policy is sent",
        "clinic/settings.py",
        "    \"csp.middleware.CSPMiddleware\",\n",
        "",
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[anonymous]",
        ),
    ),
    Protection(
        "3.2.1", "`nosniff` is not sent",
        "clinic/web/middleware.py",
        "    \"X-Content-Type-Options\": \"nosniff\",\n",
        "",
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[anonymous]",
        ),
        also=(
            (
                "clinic/settings.py",
                "X_FRAME_OPTIONS = \"DENY\"\n",
                "X_FRAME_OPTIONS = \"DENY\"\nSECURE_CONTENT_TYPE_NOSNIFF = False\n",
            ),
        ),
    ),
    Protection(
        "3.2.2", "templates show texts as markup",
        "clinic/settings.py",
        '"undefined": StrictUndefined,',
        '"undefined": StrictUndefined, "autoescape": False,',
    ),
    Protection(
        "3.3.1–3.3.4", "cookies have no prefix",
        "clinic/settings.py",
        '_COOKIE_PREFIX = "__Host-" if USE_HTTPS else ""',
        '_COOKIE_PREFIX = ""',
        (
            "clinic/tests/test_sessions.py::test_cookies_of_https_are_of_this_host_alone",
        ),
    ),
    Protection(
        "3.3.1–3.3.4", "scripts can read the cookies",
        "clinic/settings.py",
        "SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True",
        "SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = False",
    ),
    Protection(
        "3.3.1–3.3.4", "other sites send the session's cookie",
        "clinic/settings.py",
        'SESSION_COOKIE_SAMESITE = "Lax"',
        'SESSION_COOKIE_SAMESITE = "None"',
        (
            "clinic/tests/test_sessions.py::test_cookies_as_they_are_set",
        ),
    ),
    Protection(
        "3.3.1–3.3.4", "cookies are sent without TLS",
        "clinic/settings.py",
        "SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = USE_HTTPS",
        "SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False",
        (
            "clinic/tests/test_sessions.py::test_cookies_of_https_are_of_this_host_alone",
        ),
    ),
    Protection(
        "3.4.1, 3.4.3–3.4.6", "HSTS does not include subdomains",
        "clinic/settings.py",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS = USE_HTTPS",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS = False",
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[anonymous]",
            "clinic/tests/test_headers.py::test_error_scores_100_and_more",
        ),
    ),
    Protection(
        "3.4.1, 3.4.3–3.4.6", "the policy falls back to this host instead of nothing",
        "clinic/settings.py",
        '"default-src": [NONE]',
        '"default-src": [SELF]',
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[anonymous]",
        ),
    ),
    Protection(
        "3.4.1, 3.4.3–3.4.6", "other sites may frame the pages, says the policy",
        "clinic/settings.py",
        "        \"frame-ancestors\": [NONE],\n",
        "",
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[anonymous]",
        ),
    ),
    Protection(
        "3.4.1, 3.4.3–3.4.6", "no referrer policy is sent",
        "clinic/settings.py",
        'SECURE_REFERRER_POLICY = "same-origin"',
        "SECURE_REFERRER_POLICY = None",
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[anonymous]",
        ),
        also=(
            (
                "clinic/web/middleware.py",
                "    \"Referrer-Policy\": \"same-origin\",\n",
                "",
            ),
        ),
    ),
    Protection(
        "3.4.1, 3.4.3–3.4.6", "headers are set after errors have been answered",
        "clinic/settings.py",
        "    \"clinic.web.middleware.IsolationMiddleware\",\n",
        "",
        (
            "clinic/tests/test_headers.py::test_error_scores_100_and_more",
        ),
    ),
    Protection(
        "3.4.1, 3.4.3–3.4.6", "the score takes nothing away for a missing HSTS header",
        "clinic/tests/header_score.py",
        '"hsts-not-implemented": -20',
        '"hsts-not-implemented": 0',
        (
            "clinic/tests/test_headers.py::test_planted_fault_is_found_and_lowers_the_score",
        ),
    ),
    Protection(
        "3.4.2", "every site may read the responses",
        "clinic/web/middleware.py",
        "ISOLATION = {\n",
        "ISOLATION = {\n    \"Access-Control-Allow-Origin\": \"*\",\n",
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[anonymous]",
        ),
    ),
    Protection(
        "3.5.1, 3.5.2", "forms are accepted without a CSRF token",
        "clinic/settings.py",
        "    \"django.middleware.csrf.CsrfViewMiddleware\",\n",
        "",
        (
            "clinic/tests/test_errors.py::test_form_without_csrf_token_shows_an_error_page",
        ),
    ),
    Protection(
        "3.5.1, 3.5.2", "a form has no CSRF token",
        "templates/patients/patient_edit.html",
        "    {% csrf_token %}\n",
        "",
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[Receptionist]",
        ),
    ),
    Protection(
        "3.5.1, 3.5.2", "the API takes the session for a login",
        "clinic/rest/tokens.py",
        "                request.user = AnonymousUser()\n            return",
        "                pass\n            return",
        (
            "clinic/tests/test_api.py::test_session_gives_no_api_access",
        ),
    ),
    Protection(
        "3.5.1, 3.5.2", "the API accepts forms",
        "clinic/rest/bodies.py",
        "if length and request.content_type != understood:",
        "if False:",
        (
            "clinic/tests/test_api.py::test_invalid_bodies",
        ),
    ),
    Protection(
        "3.5.3", "an action can be done by GET",
        "clinic/web/page_access.py",
        '"appointments:appointment_arrive": {"POST": _ARRIVE}',
        '"appointments:appointment_arrive": {"GET": _ARRIVE, "POST": _ARRIVE}',
    ),
    Protection(
        "3.7.1", "a page has a link that runs a script",
        "templates/base.html",
        "</body>",
        '<a href="javascript:history.back()">Back</a></body>',
    ),
    Protection(
        "3.7.2", "the admin's login redirects to any `next`",
        "clinic/administration/site.py",
        'return redirect("admin:index")',
        'return redirect(request.GET.get("next", "admin:index"))',
        (
            "clinic/tests/test_login.py::test_admin_login_redirects_to_the_portals",
        ),
    ),
    Protection(
        "3.7.2", "the confirmation redirects to any `next`",
        "clinic/account_pages/views.py",
        'redirect(return_url(request, resolve_url("account")))',
        'redirect(request.POST.get("next") or "account")',
        (
            "clinic/tests/test_confirmation.py::test_next_url_of_another_host_is_ignored",
        ),
    ),
    Protection(
        "3.7.2", "the confirmation can be cancelled to any address",
        "clinic/account_pages/views.py",
        "if is_local_path(back) and may_open",
        "if may_open",
        (
            "clinic/tests/test_confirmation.py::test_cancel_url_is_never_another_host",
        ),
    ),
    Protection(
        "3.7.2", "the login redirects to any `next`",
        "clinic/account_pages/views.py",
        "return _allowed_url(self.request, self.get_redirect_url())",
        'return self.request.POST.get("next") or resolve_url(settings.LOGIN_REDIRECT_URL)',
        (
            "clinic/tests/test_next.py::test_login_never_redirects_to_another_host",
        ),
    ),
    Protection(
        "4.1.1", "calendars do not say their charset",
        "appointments/calendar_feed/ical.py",
        "text/calendar; charset=utf-8",
        "text/calendar",
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[anonymous]",
        ),
    ),
    Protection(
        "4.1.2", "calls without TLS are answered",
        "clinic/rest/tokens.py",
        "if is_unencrypted(request):",
        "if False:",
        (
            "clinic/tests/test_api.py::test_unencrypted_call_is_refused_and_not_redirected",
        ),
    ),
    Protection(
        "4.1.2", "calls and feeds without TLS are redirected",
        "clinic/settings.py",
        ', r"^api/(?!docs$|$)", r"^calendar/"]',
        "]",
    ),
    Protection(
        "4.1.2", "feeds without TLS are sent",
        "appointments/calendar_feed/views.py",
        "None if is_unencrypted(request) else ",
        "",
        (
            "appointments/tests/test_calendar.py::test_feed_over_unencrypted_http_is_404_without_redirect",
        ),
    ),
    Protection(
        "4.1.3", "the header counts without a proxy, too",
        "clinic/core/client_address.py",
        ' if settings.BEHIND_PROXY else ""',
        "",
        (
            "clinic/tests/test_addresses.py::test_without_a_proxy_clients_cannot_choose_their_address",
        ),
    ),
    Protection(
        "4.1.3", "the first address of the header counts",
        "clinic/core/client_address.py",
        'forwarded.rpartition(",")[2]',
        'forwarded.partition(",")[0]',
        (
            "clinic/tests/test_addresses.py::test_behind_a_proxy_the_last_address_counts",
        ),
    ),
    Protection(
        "4.1.4", "a page answers methods that are not in the table",
        "clinic/web/middleware.py",
        'methods.get("GET" if is_head else str(request.method))',
        'methods.get("GET" if is_head else str(request.method)) or next(iter(methods.values()), None)',
        (
            "clinic/tests/test_access.py::test_crawl_finds_no_unexpected_response[Receptionist]",
            "clinic/tests/test_access.py::test_unsupported_method_changes_nothing",
        ),
    ),
    Protection(
        "4.2.1", "bodies in chunks are accepted",
        "clinic/ops/request_limits.py",
        "return 411  #",
        "return 0  #",
        (
            "clinic/tests/test_limits.py::test_body_in_chunks_is_refused",
        ),
    ),
    Protection(
        "4.2.1", "a length may be any text that Python reads as a number",
        "clinic/ops/request_limits.py",
        "is_number = length.isascii() and length.isdecimal() and len(length) <= MAX_LENGTH",
        "is_number = length.isdecimal()",
        (
            "clinic/tests/test_limits.py::test_non_numeric_length_is_refused_unread",
        ),
    ),
    Protection(
        "5.1.1", "more rows are read than documented",
        "clinic/spreadsheets/reader.py",
        "MAX_ROWS = 20_000",
        "MAX_ROWS = 200_000",
    ),
    Protection(
        "5.2.1", "the reader accepts a file of any size",
        "clinic/spreadsheets/reader.py",
        "if upload.size > MAX_BYTES:",
        "if False:",
        (
            "clinic/tests/test_uploaded_sheet.py::test_one_byte_more_than_allowed_is_refused",
        ),
    ),
    Protection(
        "5.2.1", "uploads are read whatever their length",
        "clinic/ops/request_limits.py",
        " or length > largest else 0",
        " else 0",
        (
            "clinic/tests/test_limits.py::test_upload_over_the_limit_is_refused_unread",
        ),
    ),
    Protection(
        "5.2.2", "a file may have any name",
        "clinic/spreadsheets/views.py",
        "        validators=[FileExtensionValidator(_ENDINGS, message=_NO_ENDING)],\n",
        "",
        (
            "patients/tests/test_import.py::test_file_of_another_kind_by_its_name_is_refused",
        ),
    ),
    Protection(
        "5.2.2", "the first bytes are not looked at",
        "clinic/spreadsheets/reader.py",
        "if beginning == _OLE:",
        "if False:",
        (
            "clinic/tests/test_uploaded_sheet.py::test_invalid_file_is_refused",
        ),
    ),
    Protection(
        "5.2.3", "parts may unpack to any size",
        "clinic/spreadsheets/xlsx_reader.py",
        "if part.file_size > limit:",
        "if False:",
        (
            "clinic/tests/test_uploaded_sheet.py::test_file_that_unpacks_to_too_much_is_refused",
        ),
    ),
    Protection(
        "5.2.3", "a workbook may have any number of parts",
        "clinic/spreadsheets/xlsx_reader.py",
        "if len(archive.infolist()) > _MAX_PARTS:",
        "if False:",
        (
            "clinic/tests/test_uploaded_sheet.py::test_workbook_of_too_many_parts_is_refused",
        ),
    ),
    Protection(
        "5.3.2", "uploads go to a temporary file",
        "clinic/settings.py",
        "uploadhandler.MemoryFileUploadHandler",
        "uploadhandler.TemporaryFileUploadHandler",
    ),
    Protection(
        "5.4.1, 5.4.2", "a browser names the calendar after its secret address",
        "appointments/calendar_feed/views.py",
        "        response[\"Content-Disposition\"] = 'attachment; filename=\"diary.ics\"'\n",
        "",
    ),
)  # fmt: skip
