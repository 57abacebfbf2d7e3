import logging
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.management import get_commands
from django.db.models.signals import post_migrate


class ClinicConfig(AppConfig):
    name = "clinic"

    def ready(self) -> None:
        """Connect signal handlers, and remove two commands of auditlog that rewrite the audit trail."""
        from clinic.accounts import sign_ins
        from clinic.accounts.confirmation import stamp_sign_in
        from clinic.accounts.roles import sync_roles

        post_migrate.connect(sync_roles, sender=self)
        logging.captureWarnings(True)  # into the log's own form: by themselves they quote what was typed
        user_logged_in.connect(_forget_what_is_over)
        user_logged_in.connect(sign_ins.record_sign_in)
        user_login_failed.connect(sign_ins.record_failed_sign_in)
        user_logged_out.connect(sign_ins.record_sign_out)
        for rewrites_the_trail in ("auditlogflush", "auditlogmigratejson"):
            get_commands().pop(rewrites_the_trail, None)  # the library's; an app's own command cannot stand before it
        user_logged_in.connect(stamp_sign_in)
        user_logged_in.connect(_begin_session)


def _forget_what_is_over(**kwargs: Any) -> None:
    """Delete expired temporary data at each sign-in, so that no scheduled job is needed."""
    from clinic.rest.models import KeptAnswer
    from clinic.sessions.models import Session
    from clinic.sessions.saved_forms import SavedForm
    from clinic.spreadsheets.models import ImportDraft

    ImportDraft.objects.purge()
    KeptAnswer.objects.purge()
    SavedForm.objects.purge()
    Session.objects.purge()


def _begin_session(request: Any, user: Any, **kwargs: Any) -> None:
    """Store the sign-in in its session, and which saved forms this user has."""
    from clinic.web.saved_forms import remind

    request.session.begin(request)
    remind(request.session, user)
