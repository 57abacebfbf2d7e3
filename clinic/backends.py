from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend
from django.utils import timezone

from clinic.sessions.signed_in import read_user

if TYPE_CHECKING:
    from clinic.accounts.models import User


class RolesBackend(ModelBackend):
    """Username and password; permissions come only from roles, which takes one query a request."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **kwargs: Any) -> Any:
        """Return the user with this username and password. An expired temporary password counts as wrong."""
        user: User | None = super().authenticate(request, username, password, **kwargs)
        return None if user is not None and user.has_overdue_password(at=timezone.now()) else user

    def get_user(self, user_id: int) -> Any:
        """Return the user whom the request's session has read, if it is this one; otherwise one query."""
        user = read_user(user_id)
        if user is None:
            return super().get_user(user_id)
        return user if self.user_can_authenticate(user) else None

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return the roles' permissions, from the same query as the roles' names."""
        if not user_obj.is_active or user_obj.is_superuser or obj is not None:
            return super().get_group_permissions(user_obj, obj)
        return set().union(*user_obj.permissions_by_role.values())

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return none: a user has no permissions beside those of the roles. A superuser has all."""
        return super().get_user_permissions(user_obj, obj) if user_obj.is_superuser else set()
