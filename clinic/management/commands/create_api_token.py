import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from clinic.models import USUAL_LIFE, ApiToken, User

USUAL_DAYS = USUAL_LIFE.days
MAX_DAYS = 10 * USUAL_DAYS


class Command(BaseCommand):
    """`manage.py create_api_token reception --name "Phone system" --days 90`."""

    help = "Make a token for the API with the rights of a user. It is shown once: as the last line, alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="whose rights the token has")
        parser.add_argument("--name", default="made on the command line", help="of the program that uses it")
        parser.add_argument("--days", type=int, default=USUAL_DAYS, help=f"until it expires (default {USUAL_DAYS})")

    def handle(self, *args: Any, username: str, name: str, days: int, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username}.")
        if not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days is 1 to {MAX_DAYS}.")
        token = ApiToken(user=user, name=name, expires_at=timezone.now() + dt.timedelta(days=days))
        text = token.make_text()
        try:
            token.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        token.save()
        self.stdout.write(f"Token {token.pk}, with the rights of {username}, expires {token.expires_at:%Y-%m-%d}:")
        self.stdout.write(text)
