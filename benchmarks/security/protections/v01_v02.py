"""What protects the rows of V1 and V2: encoding, validation and business logic."""

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
        "transitions.check_forward(current.status, status)",
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
)  # fmt: skip
