"""What the tests of every app share: the frozen time, and short ways to read refusals, pages and records."""

import copy
import datetime as dt
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
    """Return the record as the database holds it now."""
    return type(record)._default_manager.get(pk=record.pk)


def codes_in(refusal):
    """Return the codes of a ValidationError by field; under "" what is about no field."""
    errors = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
    return {name: [error.code for error in at_field] for name, at_field in errors.items()}


def codes_of(record):
    """Return the codes by field with which a record is refused, {} if it is not."""
    try:
        record.full_clean()
    except ValidationError as refusal:
        return codes_in(refusal)
    return {}


def codes_at(response, field):
    """Return the codes at a field of the page's form, be it the portal's or the admin's."""
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


def markup(response):
    """Return a page's source as one line, without the white space at the ends of its lines."""
    page = ""
    for line in filter(None, map(str.strip, response.content.decode().splitlines())):
        page += line if page.endswith(">") or line.startswith("<") else f" {line}"
    return page


def seen(patient):
    """Return what a form of this patient carries about when it was shown."""
    return {"seen_at": type(patient).objects.get(pk=patient.pk).updated_at.isoformat()}


def close(response):
    """Close the file that an answer sends; `response.close()` would end the connection, and the test's transaction."""
    for closer in response._resource_closers:
        closer()


def refusal_code(call, *args, **kwargs):
    """Return the code of the ValidationError that a call raises; None if it raises none."""
    try:
        call(*args, **kwargs)
    except ValidationError as refusal:
        return refusal.code
    return None


def codes_text(record):
    """Return the codes with which a record is refused as `email: email_taken`, "" if it is accepted."""
    return ", ".join(f"{field}: {code}" for field, codes in codes_of(record).items() for code in codes)


@contextmanager
def rolled_back():
    """Undo what is written inside, so that the next case of a loop finds the database as it was."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class Cases:
    """The cases of one table, each undone before the next; all that fail are told together at the end.

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
