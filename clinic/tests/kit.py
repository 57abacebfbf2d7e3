"""Shared test helpers: the frozen time, and helpers to read refusals, pages and records."""

import copy
import datetime as dt
import json
from contextlib import contextmanager, nullcontext
from html.parser import HTMLParser

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

# A Tuesday in winter, when Lisbon's clocks show UTC; the fixture `now` freezes the clock at it.
NOW = dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)
START = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)


def utc(*args):
    return dt.datetime(*args, tzinfo=dt.UTC)


def at(hour, minute=0, *, day=24):
    """Return an instant of November 2026; by default of the day of `NOW`."""
    return utc(2026, 11, day, hour, minute)


def fresh(record):
    """Return the record as stored now."""
    return type(record)._default_manager.get(pk=record.pk)


def codes_in(refusal):
    """Return the codes of a ValidationError by field; "" for errors without a field."""
    errors = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
    return {name: [error.code for error in at_field] for name, at_field in errors.items()}


def codes_of(record):
    """Return the error codes of a record by field, {} if it is valid."""
    try:
        record.full_clean()
    except ValidationError as refusal:
        return codes_in(refusal)
    return {}


def codes_at(response, field):
    """Return the error codes of a field of the page's form, in the portal or the admin."""
    form = response.context["adminform"].form if "adminform" in response.context else response.context["form"]
    return [error.code for error in form.errors.as_data().get(field, [])]


def elements(response):
    """Return every element of a page as `(tag, attributes)`."""
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

    Parser().feed(response.content.decode())
    return found


def button_values(response, name):
    """Return the values of the page's buttons of this name, in order."""
    return [attrs["value"] for tag, attrs in elements(response) if tag == "button" and attrs.get("name") == name]


def markup(response):
    """Return a page's source as one line, with trimmed lines."""
    page = ""
    for line in filter(None, map(str.strip, response.content.decode().splitlines())):
        page += line if page.endswith(">") or line.startswith("<") else f" {line}"
    return page


def seen(patient):
    """Return the hidden version field of this patient's form."""
    return {"seen_at": type(patient).objects.get(pk=patient.pk).updated_at.isoformat()}


def close(response):
    """Close the file of a response; `response.close()` would end the connection, and the test's transaction."""
    for closer in response._resource_closers:
        closer()


def refusal_code(call, *args, **kwargs):
    """Return the code of the ValidationError raised by a call, or None."""
    try:
        call(*args, **kwargs)
    except ValidationError as refusal:
        return refusal.code
    return None


def codes_text(record):
    """Return the error codes of a record as `email: email_taken`, "" if it is valid."""
    return ", ".join(f"{field}: {code}" for field, codes in codes_of(record).items() for code in codes)


def lines(log):
    """Return the lines of the fixture `log`, oldest first."""
    return [json.loads(line) for line in log.getvalue().split("\n") if line]


@contextmanager
def rolled_back():
    """Roll back all writes inside, so that each case of a loop starts with the same database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class Cases:
    """Run the cases of a table, each rolled back before the next; report all failures together at the end.

    Undone are the database, the cookies of a client and the time of `now`. Inside `with Cases() as case`, each case
    is a `with case(what it is called)`.
    """

    def __init__(self, *, client=None, now=None):
        self.client, self.now, self.wrong = client, now, []

    def __enter__(self):
        self.cookies = copy.deepcopy(self.client.cookies) if self.client else None
        self.began = timezone.now()
        return self

    @contextmanager
    def __call__(self, *name):
        has_transaction = connection.in_atomic_block
        try:
            with transaction.atomic() if has_transaction else nullcontext():
                yield
                if has_transaction:
                    transaction.set_rollback(True)
        except (Exception, pytest.fail.Exception) as error:
            self.wrong.append(f"{', '.join(map(ascii, name))[:200]}: {type(error).__name__}: {error}")
        if self.client:
            self.client.cookies = copy.deepcopy(self.cookies)
        if self.now:
            self.now.move_to(self.began)

    def __exit__(self, kind, error, trace):
        if kind is None and self.wrong:
            pytest.fail("\n\n".join(self.wrong), pytrace=False)
