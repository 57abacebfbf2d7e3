"""Signing in."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import QuerySet


class RolesBackend(ModelBackend):
    """Name and password; what one may do comes from the roles alone, which takes one query a request."""

    def _get_user_permissions(self, user_obj: Any) -> QuerySet[Permission]:
        return Permission.objects.none()
