"""What the tests of every app share: the frozen time, and short ways to read refusals, pages and records."""

import datetime as dt
from html.parser import HTMLParser

from django.core.exceptions import ValidationError

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
