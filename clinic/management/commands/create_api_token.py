import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from clinic.models import DEFAULT_LIFETIME, ApiToken, User

DEFAULT_DAYS = DEFAULT_LIFETIME.days
MAX_DAYS = 10 * DEFAULT_DAYS


class Command(BaseCommand):
    """`manage.py create_api_token reception --name "Phone system" --days 90`."""

    help = "Create an API token with a user's permissions. It is shown once, alone on the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="the user whose permissions the token has")
        parser.add_argument("--name", default="made on the command line", help="name of the program that uses it")
        parser.add_argument(
            "--days", type=int, default=DEFAULT_DAYS, help=f"days until it expires (default {DEFAULT_DAYS})"
        )

    def handle(self, *args: Any, username: str, name: str, days: int, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username}.")
        if not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days must be 1 to {MAX_DAYS}.")
        token = ApiToken(user=user, name=name, expires_at=timezone.now() + dt.timedelta(days=days))
        text = token.make_text()
        try:
            token.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        token.save()
        self.stdout.write(f"Token {token.pk}, with the permissions of {username}, expires {token.expires_at:%Y-%m-%d}:")
        self.stdout.write(text)
