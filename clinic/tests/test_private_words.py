"""Initials instead of names. Other restrictions on patient data are checked in the crawl."""

import pytest
from django.conf import settings
from django.utils.html import strip_tags

from appointments.tests.factories import AppointmentFactory
from clinic.core.names import NO_INITIAL, initials
from clinic.tests.kit import START, Cases
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")


# Initials


def test_initials_never_are_the_whole_name():
    table = [
        ("Maria", "Santos", "M. S."),
        ("Émile", "Ångström", "É. Å."),
        ("小明", "王", f"小. {NO_INITIAL}."),
        ("伟", "王", f"{NO_INITIAL}. {NO_INITIAL}."),
        ("O", "Yi", f"{NO_INITIAL}. Y."),
        ("कि", "सिंह", f"{NO_INITIAL}. स."),
        ("X\u200b", "Y\u0301", f"{NO_INITIAL}. {NO_INITIAL}."),
        ("\u200bAna", "Lima", "A. L."),
    ]
    with Cases() as case:
        for first, last, shown in table:
            with case(first, last, shown):
                assert initials(first, last) == shown


def test_manager_does_not_see_a_name_of_one_letter(client, manager):
    AppointmentFactory(patient=PatientFactory(first_name="伟", last_name="王"), start_time=START)
    client.force_login(manager)

    for address in ("/schedule/2026-11-24/", "/schedule/2026-11-24/?layout=list", "/schedule/2026-11-24/print/"):
        text = strip_tags(client.get(address).content.decode())
        assert "伟" not in text
        assert "王" not in text


def test_table_of_words_covers_every_text_of_a_patient():
    texts = {field.name for field in Patient._meta.fields if field.get_internal_type() in {"CharField", "EmailField"}}

    assert texts == {"first_name", "last_name", "email", "phone_number", "name_key"}
    assert settings.AUTH_USER_MODEL == "clinic.User"
