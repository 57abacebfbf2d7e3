"""Protections of the rows of V1 to V6."""

from benchmarks.security.protections import Protection

PROTECTIONS = (
    Protection(
        "1.1.1", "names are stored as they were composed",
        "clinic/core/names.py",
        'clean_line(unicodedata.normalize("NFC", name))',
        "clean_line(name)",
        (
            "clinic/tests/test_names.py::test_clean_name_composes_and_leaves_single_blanks",
        ),
    ),
    Protection(
        "1.1.1", "a request is read in the charset it declares",
        "clinic/wsgi.py",
        'if "charset" in parameters:',
        "if False:",
        (
            "clinic/tests/test_api.py::test_declared_charset_makes_no_difference",
        ),
    ),
    Protection(
        "1.1.2, 1.2.1", "Jinja's templates do not escape",
        "clinic/settings.py",
        '"undefined": StrictUndefined,',
        '"undefined": StrictUndefined, "autoescape": False,',
        (
            "clinic/tests/test_pages.py::test_page_shows_what_was_typed_as_text",
            "clinic/tests/test_payloads.py::test_text_stays_text_on_every_page[Receptionist]",
            "appointments/tests/test_schedule_page.py::test_texts_with_markup_are_escaped_wherever_the_schedule_is_drawn",
        ),
    ),
    Protection(
        "1.1.2, 1.2.1", "Django's templates do not escape",
        "clinic/settings.py",
        "\"OPTIONS\": {\n            \"context_processors\"",
        "\"OPTIONS\": {\n            \"autoescape\": False,\n            \"context_processors\"",
        (
            "clinic/tests/test_payloads.py::test_text_stays_text_on_every_page[Receptionist]",
        ),
    ),
    Protection(
        "1.1.2, 1.2.1", "the name of a calendar is not brought on one line",
        "appointments/calendar_feed/ical.py",
        "vText(_line(name))",
        "vText(name)",
        (
            "appointments/tests/test_calendar.py::test_line_break_in_a_name_adds_no_line_to_the_calendar",
        ),
    ),
    Protection(
        "1.2.2", "the login redirects to any `next`",
        "clinic/account_pages/views.py",
        "return _allowed_url(self.request, self.get_redirect_url())",
        'return self.request.POST.get("next") or resolve_url(settings.LOGIN_REDIRECT_URL)',
    ),
    Protection(
        "1.2.3", "the base template has an inline script",
        "templates/base.html",
        "</body>",
        "<script>let page = 1</script></body>",
    ),
    Protection(
        "1.2.4", "the search puts its text into SQL",
        "patients/search.py",
        "SearchKey.objects.filter(_begins(each))",
        "SearchKey.objects.extra(where=[f\"key like '{each}%%'\"])",
        (
            "clinic/tests/test_security_docs.py::test_portal_runs_no_commands_and_no_code_from_text",
        ),
    ),
    Protection(
        "1.2.4", "a health check that a visitor can call has SQL of its own",
        "clinic/web/http.py",
        "    return int(text) if is_number else None",
        "    connection.cursor().execute(f\"SELECT {text}\")\n"
        "    return int(text) if is_number else None",
        (
            "clinic/tests/test_security_docs.py::test_only_few_modules_contain_sql",
        ),
    ),
    Protection(
        "1.2.4, 1.2.9 (lists)", "lists look up whatever the address says",
        "clinic/administration/lists.py",
        "        if not given.keys().isdisjoint(filters[2]):\n",
        "        if False:\n",
    ),
    Protection(
        "1.2.5, 1.3.2, 1.3.7, 1.3.10", "a refused call is read by `eval`",
        "clinic/web/denied_access.py",
        "json.loads(request.body)",
        "eval(request.body)",
    ),
    Protection(
        "1.2.9", "the search builds a pattern from its text",
        "patients/search.py",
        'others &= Q(others__contains=f" {term}")',
        'others &= Q(others__regex=f" {term}")',
    ),
    Protection(
        "1.2.9", "the order of a search is found by a pattern of its text",
        "patients/search.py",
        "    if not others:\n        return _ids_with(last, limit)",
        "    if not others and not re.search(text, text):\n        return _ids_with(last, limit)",
    ),
    Protection(
        "1.2.10", "a CSV file has names as they are",
        "clinic/spreadsheets/export.py",
        "return guarded(cell)",
        "return cell",
        (
            "patients/tests/test_export.py::test_name_that_begins_like_a_formula_is_harmless_in_csv",
        ),
    ),
    Protection(
        "1.2.10", "cells of an XLSX file get the type that they look like",
        "clinic/spreadsheets/export.py",
        "        cell.data_type = \"s\"\n",
        "",
        (
            "patients/tests/test_export.py::test_workbook_has_texts_and_no_formulas",
        ),
    ),
    Protection(
        "1.3.3", "a name of invisible characters passes",
        "clinic/core/names.py",
        "if not any(_is_visible(char) for char in name):",
        "if not name.strip():",
        (
            "clinic/tests/test_names.py::test_check_name_refuses_invisible_text",
        ),
    ),
    Protection(
        "1.3.3", "a name may turn the direction of the text",
        "clinic/core/names.py",
        " or char in _DIRECTION_MARKS",
        "",
        (
            "clinic/tests/test_names.py::test_check_name_refuses_characters_that_cannot_be_shown_or_mislead",
        ),
    ),
    Protection(
        "1.3.9", "calls are counted by the name of the token",
        "clinic/rest/tokens.py",
        'f"token-{request.api_token.pk}"',
        'f"token-{request.api_token.name}"',
    ),
    Protection(
        "1.4.2", "any length is accepted",
        "appointments/models/appointment.py",
        "rules.check_duration(self.duration_minutes)",
        "pass",
    ),
    Protection(
        "1.5.1", "parts of a workbook may have a document type",
        "clinic/spreadsheets/xml_checks.py",
        "forbid_dtd=True",
        "forbid_dtd=False, forbid_entities=False",
    ),
    Protection(
        "1.5.1", "the workbook itself may have a document type",
        "clinic/spreadsheets/xlsx_reader.py",
        "forbid_dtd=True",
        "forbid_dtd=False, forbid_entities=False",
    ),
    Protection(
        "1.5.2", "a body is read by pickle",
        "clinic/web/denied_access.py",
        "import json\n",
        "import pickle as json\n",
    ),
    Protection(
        "2.1.1–2.1.3", "the API accepts a time without an offset, other than documented",
        "docs/api.md",
        '"duration_minutes": 14}',
        '"duration_minutes": 45}',
    ),
    Protection(
        "2.2.1–2.2.3", "a start in the past is accepted",
        "appointments/models/appointment.py",
        "rules.check_not_past(self.start_time, at=now)",
        "pass",
        (
            "appointments/tests/test_booking_page.py::test_booking_is_refused_at_its_field",
        ),
    ),
    Protection(
        "2.2.1–2.2.3", "the API ignores unknown parameters",
        "clinic/api.py",
        "api.add_decorator(refusing_unknown_names, mode=\"view\")\n",
        "",
        (
            "clinic/tests/test_api.py::test_unknown_query_parameters_are_refused",
        ),
    ),
    Protection(
        "2.3.1", "a status can follow any other",
        "appointments/booking/actions.py",
        "rules.check_forward(current.status, status)",
        "pass",
        also=(
            (
                "appointments/models/appointment.py",
                "        if self.changes(\"status\"):\n",
                "        if False:\n",
            ),
        ),
    ),
    Protection(
        "2.3.2", "any length is accepted",
        "appointments/models/appointment.py",
        "rules.check_duration(self.duration_minutes)",
        "pass",
    ),
    Protection(
        "2.3.3", "an appointment is saved in no transaction",
        "appointments/models/appointment.py",
        "trigger_refusals_as_lost_race(), transaction.atomic():",
        "trigger_refusals_as_lost_race():",
    ),
    Protection(
        "2.3.4", "diaries are not locked",
        "appointments/models/appointment.py",
        "                self._lock_diaries()\n",
        "                pass\n",
        (
            "appointments/tests/test_booking.py::test_diaries_are_locked_before_they_are_checked",
        ),
    ),
    Protection(
        "2.3.4", "diaries are not locked, so that another booking can come between check and write",
        "appointments/models/appointment.py",
        "                self._lock_diaries()\n",
        "                pass\n",
        (
            "appointments/tests/test_stress_threads.py::test_booking_race_has_one_winner",
        ),
        on_mariadb=True,
    ),
    Protection(
        "2.3.4", "diaries are locked but not checked again",
        "appointments/models/appointment.py",
        "        if self.takes_time:\n            check_diaries(self)\n\n    def _check_original",
        "\n    def _check_original",
        (
            "appointments/tests/test_booking_page.py::test_booking_between_check_and_write_wins_over_the_form",
        ),
        also=(  # the triggers refuse it as well
            ("appointments/overlap_triggers.py", '_overlaps(dialect, is_other, diary="doctor")', '"1 = 0"'),
            ("appointments/overlap_triggers.py", '_overlaps(dialect, is_other, diary="patient")', '"1 = 0"'),
        ),
    ),
    Protection(
        "2.4.1", "calls of a token are not limited",
        "clinic/rest/tokens.py",
        'return refuse_call(request, 429, {"Retry-After": str(wait)})',
        "pass",
        (
            "clinic/tests/test_api.py::test_too_many_calls_answer_429_to_this_token_only",
        ),
    ),
    Protection(
        "2.4.1", "pages of a user are not limited",
        "clinic/web/middleware.py",
        'return refusal_page(request, 429, {"Retry-After": str(wait)}) if wait else None',
        "return None",
        (
            "clinic/tests/test_rates.py::test_too_many_pages_are_answered_429_until_the_minute_is_over",
        ),
    ),
    Protection(
        "2.4.1", "forms are not limited after the session has ended",
        "clinic/web/middleware.py",
        " or _rate_limited(request, request.session.ended_for)",
        "",
        (
            "clinic/tests/test_rates.py::test_ended_session_keeps_forms_at_the_rate_of_its_user",
        ),
    ),
    Protection(
        "2.4.1", "any number of half-filled forms is saved",
        "clinic/sessions/saved_forms.py",
        "if surplus := list(latest_first[MAX_OF_USER:]):",
        "if surplus := []:",
        (
            "clinic/tests/test_saved_forms.py::test_latest_ten_forms_of_a_user_are_saved",
        ),
    ),
    Protection(
        "2.4.1", "exports need no confirmation",
        "clinic/web/required_steps.py",
        " and not is_confirmed(request)",
        " and False",
        (
            "clinic/tests/test_confirmation.py::test_page_asks_for_the_password_after_ten_minutes",
        ),
    ),
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
    Protection(
        "6.1.1, 6.3.1", "a user from one address has fifty tries",
        "clinic/settings.py",
        "AXES_FAILURE_LIMIT = 5",
        "AXES_FAILURE_LIMIT = 50",
        (
            "clinic/tests/test_login.py::test_only_5_of_30_wrong_passwords_are_checked",
        ),
    ),
    Protection(
        "6.1.1, 6.3.1", "tries from many addresses do not add up",
        "clinic/accounts/lockout.py",
        'if failed["user"] >= MAX_FOR_USER:',
        "if False:",
        (
            "clinic/tests/test_login.py::test_one_user_from_many_addresses_is_locked_out",
        ),
    ),
    Protection(
        "6.1.1, 6.3.1", "a client can choose its address",
        "clinic/core/client_address.py",
        ' if settings.BEHIND_PROXY else ""',
        "",
        (
            "clinic/tests/test_login.py::test_forged_forwarding_addresses_do_not_multiply_the_tries",
        ),
    ),
    Protection(
        "6.1.1, 6.3.1", "tries during a lock extend it",
        "clinic/settings.py",
        "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False",
        "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = True",
        (
            "clinic/tests/test_login.py::test_tries_during_a_lockout_do_not_prolong_it",
        ),
    ),
    Protection(
        "6.1.1, 6.3.1", "each spelling of a user has its own count",
        "clinic/accounts/lockout.py",
        "_key_on_device(request, *found) if found",
        "_key_on_device(request, found[0], typed, found[2]) if found",
        (
            "clinic/tests/test_login.py::test_spellings_equal_to_the_database_share_one_lockout",
        ),
        on_mariadb=True,
    ),
    Protection(
        "6.1.1, 6.3.1", "a device that knows its user is not known again",
        "clinic/accounts/known_devices.py",
        "if device.mark_of(user_id, password) not in device.marks:",
        "if True:",
        (
            "clinic/tests/test_known_devices.py::test_known_device_logs_in_from_a_locked_address",
        ),
    ),
    Protection(
        "6.1.1, 6.3.1", "a known device has as many tries as it likes",
        "clinic/accounts/lockout.py",
        "return [attempts if DEVICE_MARK in key",
        "return [attempts.none() if DEVICE_MARK in key",
        (
            "clinic/tests/test_known_devices.py::test_guessing_on_a_known_device_ends_too",
        ),
    ),
    Protection(
        "6.1.2, 6.2.11", "the words known to everybody are not looked for",
        "clinic/accounts/passwords.py",
        "words = known_words(user)\n        if",
        "words: list[str] = []\n        if",
    ),
    Protection(
        "6.2.1, 6.2.9", "eight characters are enough",
        "clinic/settings.py",
        '{"min_length": 12}',
        '{"min_length": 8}',
        (
            "clinic/tests/test_passwords.py::test_password_shorter_or_longer_is_refused",
        ),
    ),
    Protection(
        "6.2.1, 6.2.9", "passwords may have any length",
        "clinic/settings.py",
        "    {\"NAME\": \"clinic.accounts.passwords.LongestPasswordValidator\"},\n",
        "",
        (
            "clinic/tests/test_passwords.py::test_password_shorter_or_longer_is_refused",
        ),
    ),
    Protection(
        "6.2.1, 6.2.9", "a long password is refused",
        "clinic/accounts/passwords.py",
        "max_length: int = 128",
        "max_length: int = 64",
        (
            "clinic/tests/test_passwords.py::test_password_of_minimum_and_maximum_length_is_accepted",
        ),
    ),
    Protection(
        "6.2.2, 6.2.3", "users cannot send a new password",
        "clinic/web/page_access.py",
        '"password_change": {"GET": SIGNED_IN, "POST": SIGNED_IN}',
        '"password_change": {"GET": SIGNED_IN}',
        (
            "clinic/tests/test_pages.py::test_password_is_changed",
        ),
    ),
    Protection(
        "6.2.2, 6.2.3", "the old password is not asked for",
        "clinic/account_pages/forms.py",
        "if not _is_password_of(self.request, self.user, old_password):",
        "if False:",
        (
            "clinic/tests/test_passwords.py::test_guesses_at_the_old_password_count",
        ),
    ),
    Protection(
        "6.2.4, 6.2.12", "common passwords are accepted",
        "clinic/settings.py",
        "    {\"NAME\": \"django.contrib.auth.password_validation.CommonPasswordValidator\"},\n"
        "    {\"NAME\": \"clinic.accounts.passwords.GuessablePasswordValidator\"},\n",
        "",
    ),
    Protection(
        "6.2.5", "a password needs a capital letter",
        "clinic/accounts/passwords.py",
        "if len(password) > self.max_length:",
        "if len(password) > self.max_length or password.islower():",
    ),
    Protection(
        "6.2.6, 6.2.7", "a script refuses to paste the password",
        "templates/registration/login.html",
        '    <form method="post">',
        '    <form method="post" onpaste="return false">',
        (
            "clinic/tests/test_pages.py::test_login_has_nothing_inline",
        ),
    ),
    Protection(
        "6.2.6, 6.2.7", "the password is shown as it is typed",
        "templates/registration/login.html",
        'type="password"',
        'type="text"',
        (
            "clinic/tests/test_pages.py::test_password_fields_are_masked_and_known_to_password_managers",
        ),
    ),
    Protection(
        "6.2.8", "blanks around a password are cut off",
        "clinic/backends.py",
        "super().authenticate(request, username, password, **kwargs)",
        'super().authenticate(request, username, (password or "").strip(), **kwargs)',
    ),
    Protection(
        "6.2.10", "every password expires",
        "clinic/accounts/models.py",
        "TEMPORARY_PASSWORD_LASTS if is_by_other else None",
        "TEMPORARY_PASSWORD_LASTS",
        (
            "clinic/tests/test_passwords.py::test_own_password_does_not_expire",
        ),
    ),
    Protection(
        "6.3.2", "demo users can be created in production",
        "clinic/management/commands/load_demo.py",
        "if not settings.DEBUG:",
        "if False:",
    ),
    Protection(
        "6.3.3", "administrators need no second factor",
        "clinic/web/required_steps.py",
        "and is_required_of(request.user):",
        "and False:",
        (
            "clinic/tests/test_second_factor.py::test_administrator_must_set_up_second_factor_first",
        ),
    ),
    Protection(
        "6.3.3", "the password signs in, before the code is asked for",
        "clinic/account_pages/views.py",
        "self.request.session.cycle_key()",
        "login(self.request, user, backend=_BACKEND)",
        (
            "clinic/tests/test_second_factor.py::test_password_alone_gives_no_access",
        ),
    ),
    Protection(
        "6.3.4", "the admin has a page of its own for passwords",
        "clinic/administration/site.py",
        "    def password_change(self, request: HttpRequest, extra_context: object = None) -> Any:\n"
        "        return redirect(\"password_change\")\n"
        "\n",
        "",
    ),
    Protection(
        "6.3.8", "the message says whether the user exists",
        "clinic/account_pages/forms.py",
        "else super().get_invalid_login_error()",
        'else ValidationError(str(User.objects.filter(username=self.data.get("username")).exists()))',
        (
            "clinic/tests/test_login.py::test_login_error_is_the_same_for_unknown_users",
        ),
    ),
    Protection(
        "6.3.8", "no password is hashed for an unknown user",
        "clinic/backends.py",
        "        user: User | None = super()",
        "        from clinic.accounts.models import User\n"
        "\n"
        "        if not User.objects.filter(username=username).exists():\n"
        "            return None\n"
        "        user: User | None = super()",
        (
            "clinic/tests/test_login.py::test_failed_login_hashes_as_often_for_unknown_users",
            "clinic/tests/test_login.py::test_failed_login_makes_the_same_queries_for_unknown_users",
        ),
    ),
    Protection(
        "6.4.1", "a temporary password opens everything",
        "clinic/web/required_steps.py",
        "is_needed = request.user.password_is_temporary and",
        "is_needed = False and",
        (
            "clinic/tests/test_passwords.py::test_user_with_temporary_password_can_post_nothing_else",
        ),
    ),
    Protection(
        "6.4.1", "a temporary password can be kept",
        "clinic/account_pages/forms.py",
        'if old is not None and old == self.cleaned_data.get("new_password1"):',
        "if False:",
        (
            "clinic/tests/test_passwords.py::test_password_from_somebody_else_cannot_be_changed_to_itself",
        ),
    ),
    Protection(
        "6.4.1", "a temporary password stays valid",
        "clinic/accounts/models.py",
        " and self.temporary_password_until <= at",
        " and False",
        (
            "clinic/tests/test_passwords.py::test_temporary_password_ends_after_three_days",
        ),
    ),
    Protection(
        "6.4.2", "a page resets forgotten passwords",
        "clinic/urls.py",
        '    path("accounts/confirm/"',
        "    path(\"accounts/password_reset/\", auth_views.PasswordResetView.as_view(), name=\"password_reset\"),\n"
        '    path("accounts/confirm/"',
    ),
    Protection(
        "6.4.3", "a password of an administrator stays",
        "clinic/accounts/models.py",
        "return timezone.now() + TEMPORARY_PASSWORD_LASTS if is_by_other else None",
        "return None",
    ),
    Protection(
        "6.4.4", "recovery codes outlive the second factor",
        "clinic/accounts/second_factor.py",
        "        RecoveryCode.objects.filter(user=user).delete()\n",
        "",
    ),
    Protection(
        "6.5.1", "a code of the app is only compared",
        "clinic/accounts/second_factor.py",
        "retrying(verify_token)(user, device.persistent_id, digits) is not None",
        "knows_secret(device, digits)",
        (
            "clinic/tests/test_second_factor.py::test_code_works_once",
        ),
    ),
    Protection(
        "6.5.1", "recovery codes stay valid",
        "clinic/accounts/recovery_codes.py",
        "return self.filter(used_at=None)",
        "return self.all()",
        (
            "clinic/tests/test_second_factor.py::test_recovery_code_signs_in_once",
        ),
    ),
    Protection(
        "6.5.2", "all recovery codes have one salt",
        "clinic/accounts/recovery_codes.py",
        "hasher.salt()",
        '"0123456789abcdef"',
    ),
    Protection(
        "6.5.3, 6.5.4", "codes come from Python's generator, which can be predicted",
        "clinic/accounts/recovery_codes.py",
        "secrets.choice(",
        '__import__("random").choice(',
        (
            "clinic/tests/test_second_factor.py::test_recovery_codes_do_not_depend_on_pythons_random_numbers",
        ),
    ),
    Protection(
        "6.5.5", "codes are valid for five minutes",
        "clinic/accounts/second_factor.py",
        'name="app", tolerance=1',
        'name="app", tolerance=5',
        count=2,
    ),
)  # fmt: skip
