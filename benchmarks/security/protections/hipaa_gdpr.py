"""What protects the rows of HIPAA and the GDPR."""

from benchmarks.security.protections import Protection

API = "clinic/tests/test_api.py"
ACCESS = "clinic/tests/test_access.py"
AUDIT = "clinic/tests/test_audit.py"
IMMUTABLE = "clinic/tests/test_audit_immutable.py"
READS = "clinic/tests/test_audit_reads.py"
PAGES = "clinic/tests/test_pages.py"
ANONYMISE = "patients/tests/test_anonymise.py"
PATIENT_DATA = "patients/tests/test_patient_data.py"
EMERGENCY = "appointments/tests/test_emergency.py"
PATIENT_PAGES = "patients/tests/test_pages.py"
CRAWL = f"{ACCESS}::test_crawl_finds_no_unexpected_response"

HIPAA = (
    Protection(
        "(a)(1)",
        "managers may see patients",
        "clinic/accounts/roles.py",
        'MANAGER: {"appointments.view_schedule",',
        'MANAGER: {"patients.view_patient", "appointments.view_schedule",',
    ),
    Protection(
        "(a)(2)(i)",
        "a deleted user disappears from the entries",
        "clinic/audit/models.py",
        "        if self.exists():\n            raise TypeError(CANNOT_CHANGE)\n        return 0\n",
        "        return super().update(**values)\n",
        (f"{IMMUTABLE}::test_user_with_audit_entries_cannot_be_deleted",),
    ),
    Protection(
        "(a)(2)(i)",
        "administrators can delete users",
        "clinic/admin.py",
        """        \"\"\"Refuse: users who leave are made inactive, so that the audit trail still names them.\"\"\"
        return False
""",
        "        return self.has_change_permission(request, obj)\n",
        (CRAWL,),
    ),
    Protection(
        "(a)(2)(ii)",
        "a grant shows nothing",
        "appointments/schedule/print_views.py",
        "shows_names = grant is not None",
        "shows_names = False",
        (f"{EMERGENCY}::test_grant_shows_all_names_with_a_notice",),
    ),
    Protection(
        "(a)(2)(ii)",
        "the paper does not say that names are on it",
        "appointments/schedule/print_views.py",
        '        "grant": grant,\n',
        "",
        (f"{EMERGENCY}::test_grant_shows_all_names_with_a_notice",),
    ),
    Protection(
        "(a)(2)(ii)",
        "a grant has no end",
        "appointments/models/emergency.py",
        ", granted_at__lte=at, ends_at__gt=at)",
        ", granted_at__lte=at)",
        (f"{EMERGENCY}::test_grant_ends_by_itself",),
    ),
    Protection(
        "(a)(2)(ii)",
        "the use of a grant is not recorded",
        "appointments/schedule/print_views.py",
        "        AuditEntry.objects.record(Event.EMERGENCY, grant, days=[day.isoformat() for day in days])\n",
        "        pass\n",
        (f"{EMERGENCY}::test_each_use_is_recorded_with_the_grant",),
    ),
    Protection(
        "(a)(2)(iii)",
        "a session ends only after twelve hours, however long it is not used",
        "clinic/sessions/models.py",
        "return min(self.expire_date, self.last_seen_at + idle_limit())",
        "return self.expire_date",
    ),
    Protection(
        "(b)",
        "exports are not recorded",
        "patients/transfer_views.py",
        "    AuditEntry.objects.record(Event.EXPORT, Patient, rows=Patient.objects.not_anonymised().count(),"
        " format=as_format)\n",
        "",
        ("clinic/tests/test_audit_script.py::test_twenty_actions_leave_exactly_these_entries",),
    ),
    Protection(
        "(b)",
        "changes of patients are not recorded",
        "patients/models.py",
        "auditlog.register(\n    Patient,\n",
        "auditlog.register(\n    NamePair,\n",
        ("clinic/tests/test_audit_script.py::test_twenty_actions_leave_exactly_these_entries",),
    ),
    Protection(
        "(b)",
        "nothing records that a patient's page was opened",
        "patients/views.py",
        "    AuditEntry.objects.record(Event.READ, patient)\n    now = timezone.now()\n",
        "    now = timezone.now()\n",
        (f"{READS}::test_page_with_a_record_leaves_one_entry",),
    ),
    Protection(
        "(c)(1), (c)(2)",
        "an edit overwrites what somebody else has changed",
        "patients/forms.py",
        'rules.check_not_stale(updated_at=updated_at, seen_at=self.cleaned_data.get("seen_at", ""))',
        "pass",
        (f"{PATIENT_PAGES}::test_edit_of_a_patient_changed_meanwhile_is_refused_until_sent_again",),
    ),
    Protection(
        "(c)(1), (c)(2)",
        "the database does not refuse overlaps",
        "appointments/overlap_triggers.py",
        '_overlaps(dialect, is_other, diary="doctor")',
        '"1 = 0"',
        ("appointments/tests/test_overlap_triggers.py::test_raw_sql_that_overlaps_is_refused",),
    ),
    Protection(
        "(c)(1), (c)(2)",
        "changes of a last name are not recorded",
        "patients/models.py",
        '    exclude_fields=[\n        "name_key",\n',
        '    exclude_fields=[\n        "last_name",\n        "name_key",\n',
        (f"{AUDIT}::test_audit_entry_has_old_and_new_values",),
    ),
    Protection(
        "(d)",
        "the password logs in before the code is asked for",
        "clinic/account_pages/views.py",
        "self.request.session.cycle_key()",
        "login(self.request, user, backend=_BACKEND)",
    ),
    Protection(
        "(e)(1), (e)(2)",
        "pages are served by plain HTTP",
        "clinic/settings.py",
        'SECURE_REDIRECT_EXEMPT = [r"^livez$",',
        'SECURE_REDIRECT_EXEMPT = [r"", r"^livez$",',
    ),
)

GDPR = (
    Protection(
        "5(1)(b), (c)",
        "the calendar feed has names",
        "appointments/calendar_feed/ical.py",
        "initials = names.initials(row.patient__first_name, row.patient__last_name)",
        'initials = f"{row.patient__first_name} {row.patient__last_name}"',
    ),
    Protection(
        "5(1)(d), 16",
        "entries do not say who corrected a record",
        "clinic/settings.py",
        '    "clinic.web.middleware.AuditOriginMiddleware",\n',
        "",
    ),
    Protection(
        "5(1)(d), 16",
        "a correction is not saved",
        "patients/views.py",
        '        form.save()\n        messages.success(request, "Saved.")\n',
        '        messages.success(request, "Saved.")\n',
    ),
    Protection(
        "5(1)(e)",
        "the review lists whoever was registered long ago",
        "patients/privacy/retention.py",
        "filter(last_contact__lt=before, created_at__lt=before)",
        "filter(created_at__lt=before)",
        ("patients/tests/test_retention.py::test_last_appointment_decides",),
    ),
    Protection(
        "5(1)(e)",
        "pruning deletes nothing",
        "clinic/audit/models.py",
        "                _delete_unguarded(self.filter(pk__in=ids))\n            pruned += len(ids)\n",
        "            pruned += len(ids)\n            break\n",
        (f"{IMMUTABLE}::test_pruning_deletes_only_entries_that_are_too_old",),
    ),
    Protection(
        "5(1)(e)",
        "pruning deletes the whole trail",
        "clinic/audit/models.py",
        "return self.filter(timestamp__lt=before)",
        "return self.all()",
        (f"{IMMUTABLE}::test_pruning_deletes_only_entries_that_are_too_old",),
    ),
    Protection(
        "5(1)(e)",
        "expired data is not deleted at the next login",
        "clinic/apps.py",
        "        user_logged_in.connect(_delete_expired_data)\n",
        "",
        (
            "clinic/tests/test_sessions.py::test_ended_sessions_are_emptied_and_then_deleted",
            "clinic/tests/test_saved_forms.py::test_expired_forms_are_deleted_at_any_login",
            f"{API}::test_stored_responses_are_deleted_without_further_calls",
            "patients/tests/test_import.py::test_rows_older_than_an_hour_are_deleted_at_any_login",
        ),
    ),
    Protection(
        "5(2), 24",
        "this page names a test that does not exist",
        "docs/security.md",
        "::test_files_contain_nothing_about_another_patient`",
        "::test_files_contain_nothing_about_others`",
    ),
    Protection(
        "15, 20",
        "the file lacks former values",
        "patients/privacy/subject_access.py",
        '"record_history": [describe_change(each) for each in writes(trail.record)],',
        '"record_history": [],',
        (f"{PATIENT_DATA}::test_files_contain_all_present_and_former_values",),
    ),
    Protection(
        "15, 20",
        "the file contains what another patient had at an appointment",
        "patients/privacy/trail.py",
        "field: (old if self.old else None, new if self.new else None)",
        "field: (old, new)",
        (f"{PATIENT_DATA}::test_files_contain_nothing_about_another_patient",),
    ),
    Protection(
        "15, 20",
        "the data opens in the browser and is no file",
        "patients/privacy/views.py",
        """    response["Content-Disposition"] = f'attachment; filename="patient-{patient.pk}.{as_format}"'\n""",
        "",
        (f"{PATIENT_DATA}::test_json_is_a_file_that_a_program_can_read",),
    ),
    *(
        Protection(
            "17",
            f"anonymising leaves {what}",
            file,
            find,
            "pass\n",
            (f"{ANONYMISE}::test_no_former_value_remains_in_the_database",),
        )
        for what, file, find in (
            ("the audit trail", "patients/privacy/anonymise.py", "_anonymise_trail(trail)\n"),
            ("the appointments", "patients/privacy/anonymise.py", "holder.erase(patient.pk)\n"),
            ("temporary data", "patients/privacy/anonymise.py", "erase_temporary_data(former)\n"),
            ("sessions", "patients/privacy/temporary_data.py", "_erase_from_sessions(former)\n"),
            ("imports", "patients/privacy/temporary_data.py", "_erase_from_drafts(former)\n"),
            ("answers to programs", "patients/privacy/temporary_data.py", "_erase_from_answers(former.patient_id)\n"),
            ("search keys", "patients/querysets.py", "SearchKey.objects.filter(patient=pk).delete()\n"),
            ("pairs of names", "patients/querysets.py", "NamePair.objects.filter(patient=pk).delete()\n"),
        )
    ),
    Protection(
        "17",
        "anonymising leaves forms about the patient",
        "patients/privacy/temporary_data.py",
        "    _erase_from_forms(former)\n",
        "",
        (f"{ANONYMISE}::test_saved_form_about_the_patient_is_deleted",),
    ),
    Protection(
        "25",
        "a page that is not in the table is served",
        "clinic/web/middleware.py",
        "        if not methods:\n            raise PermissionDenied\n",
        "        if not methods:\n            return None\n",
        (f"{ACCESS}::test_page_outside_the_table_is_closed_even_to_a_superuser",),
    ),
    Protection(
        "25",
        "a user without a role sees what every user sees",
        "clinic/web/page_access.py",
        "return permissions == SIGNED_IN or any(user.has_perm(permission) for permission in permissions)",
        "return permissions == SIGNED_IN or not user.permissions_by_role or any(map(user.has_perm, permissions))",
        (f"{PAGES}::test_user_without_a_role_sees_a_message",),
    ),
    Protection(
        "32",
        "other sites can open windows and resources of the portal",
        "clinic/settings.py",
        '    "clinic.web.middleware.IsolationMiddleware",\n',
        "",
    ),
    Protection(
        "33, 34",
        "entries do not say which token",
        "clinic/audit/models.py",
        "        self.token_id = self.token_id or origin.token\n",
        "",
        (f"{READS}::test_api_response_with_a_record_leaves_one_entry_with_the_token",),
    ),
    Protection(
        "33, 34",
        "nothing records whose appointments a change would affect",
        "appointments/displaced/finder.py",
        "    if appointments:\n        AuditEntry",
        "    if not appointments:\n        AuditEntry",
        (f"{READS}::test_form_with_affected_appointments_records_their_patients",),
    ),
    Protection(
        "33, 34",
        "nothing records which patient was chosen in a form",
        "clinic/administration/base.py",
        "                self._record_read(chosen)\n",
        "                pass\n",
        (f"{READS}::test_patient_chosen_in_a_refused_admin_form_is_recorded",),
    ),
)

PROTECTIONS = HIPAA + GDPR
