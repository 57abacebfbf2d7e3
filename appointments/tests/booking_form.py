"""Helpers for tests of the booking page: its URL, data to send, and field values."""

import datetime as dt

from clinic.tests.kit import codes_at

BOOK = "/appointments/book/"
KEY = "11111111-2222-4333-8444-555555555555"


def at(hour, minute=0, *, day=25):
    """Return an instant of November 2026, when Lisbon's clocks show UTC; by default of the day after `now`."""
    return dt.datetime(2026, 11, day, hour, minute, tzinfo=dt.UTC)


def form_values(response):
    """Return the form's field values as text, without the suggested times of a refusal."""
    form = response.context["form"]
    names = [name for name in form.fields if not name.startswith("outside_hours")]
    return {name: "" if form[name].value() is None else str(form[name].value()) for name in names}


def assert_refused(response, form_data, field, code):
    """Assert that only this field has an error, and that the input is kept."""
    assert codes_at(response, field) == [code]
    assert list(response.context["form"].errors) == [field]
    assert {name: value for name, value in form_values(response).items() if name in form_data} == form_data
