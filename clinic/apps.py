import logging
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.management import get_commands
from django.db.models.signals import post_migrate

if TYPE_CHECKING:
    from clinic.accounts.models import User


class ClinicConfig(AppConfig):
    name = "clinic"

    def ready(self) -> None:
        """Register checks, connect signal handlers, and remove two commands of auditlog that rewrite the trail."""
        import clinic.checks  # noqa: F401 -- registers them
        from clinic.accounts import sign_ins
        from clinic.accounts.confirmation import stamp_sign_in
        from clinic.accounts.roles import sync_roles

        post_migrate.connect(sync_roles, sender=self)
        logging.captureWarnings(True)  # through the log's formatter, because they may quote input
        user_logged_in.connect(_delete_expired_data)
        user_logged_in.connect(sign_ins.record_sign_in)
        user_logged_out.connect(sign_ins.record_sign_out)
        for rewrites_the_trail in ("auditlogflush", "auditlogmigratejson"):
            get_commands().pop(rewrites_the_trail, None)  # they would come before an app's own command of that name
        user_logged_in.connect(stamp_sign_in)
        user_logged_in.connect(_begin_session)


def _delete_expired_data(**kwargs: Any) -> None:
    """Delete expired data at each sign-in, too, for a clinic that does not run `manage.py tidy`."""
    from clinic.expired_data import delete_expired_data

    delete_expired_data()


def _begin_session(request: Any, user: "User", **kwargs: Any) -> None:
    """Store the sign-in in its session, and which saved forms this user has."""
    from clinic.web.saved_forms import remember_saved_forms

    request.session.begin(request)
    remember_saved_forms(request.session, user)
