"""What protects the rows of V6: authentication."""

from benchmarks.security.protections import Protection

PROTECTIONS = (
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
