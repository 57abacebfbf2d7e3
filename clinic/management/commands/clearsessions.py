"""Django's own command, whose app is not installed since it would bring a second table of sessions."""

from django.contrib.sessions.management.commands.clearsessions import Command

__all__ = ["Command"]
