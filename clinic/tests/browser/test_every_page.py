"""Every page, in every state, is accessible: WCAG 2.2 A and AA, on a screen and on a phone.

A new page is one line of `SHOWN`.
"""

import re
from dataclasses import dataclass
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.urls import resolve
from playwright.sync_api import Error, expect

from clinic.ops.request_limits import MAX_FORM
from clinic.tests.browser.checks import assert_accessible, assert_no_sideways_scroll
from clinic.tests.browser.conftest import PHONE, SCREEN
from clinic.web import page_access
from clinic.web.error_pages import refusal_page
from doctors import views as doctor_views

# What people do on a page


def fill(label, text):
    labelled = re.compile(rf"^\s*{re.escape(label)}\W*$")  # with or without the mark of a required field
    return lambda page: page.get_by_role("main").get_by_label(labelled).fill(text)


def press(name):
    return lambda page: page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def follow(name):
    return lambda page: page.get_by_role("main").get_by_role("link", name=name, exact=True).click()


def send(page):
    """Press the page's main button without the browser's validation, as the portal's answer is checked."""
    page.locator("[data-default]").evaluate("button => { button.form.noValidate = true; button.click(); }")


def choose(text):
    """Choose a CSV file with this text."""
    file = {"name": "patients.csv", "mimeType": "text/csv", "buffer": text.encode()}
    return lambda page: page.get_by_label("CSV or Excel file").set_input_files(file)


def guess(page):
    """Try passwords until the login is locked."""
    for _attempt in range(settings.AXES_FAILURE_LIMIT):
        for label, text in (("Username", "reception"), ("Password", "wrong")):
            fill(label, text)(page)
        with page.expect_navigation():
            press("Log in")(page)


def overfill(page):
    """Send more than a form may contain."""
    page.get_by_label("First name").evaluate("(field, length) => { field.value = 'x'.repeat(length); }", MAX_FORM)
    send(page)


def forget_cookies(page):
    page.context.clear_cookies()


# The pages


@dataclass(frozen=True)
class Shown:
    """A page: its URL with the clinic's records in braces, a text it shows, and its user.

    `is_alone` if getting there changes what the next page would show.
    """

    address: str
    text: str
    steps: tuple = ()
    who: str | None = "receptionist"
    is_alone: bool = False


def at(address, text, *steps, who="receptionist", is_alone=False):
    return Shown(address, text, steps, who, is_alone)


BOOK = "/appointments/book/"
# Another patient at a time at which the doctor is booked.
TAKEN = BOOK + "?doctor={doctors.ferreira.pk}&date=2026-11-24&time=10:30&patient={patients.wozniak.pk}"
# Leave that displaces the appointments of the rest of the day.
LEAVE = "/doctors/{doctors.ferreira.pk}/leave/"
LEAVE_STEPS = (fill("First day", "2026-11-24"), fill("Reason", "Ill"))

# A file with a new patient, one with the phone number of Zoë Müller, and Maria Santos.
COLUMNS = "First name,Last name,E-mail,Phone number,Date of birth\n"
NEW = (
    COLUMNS
    + "Nuno,Costa,nuno@example.org,,03/04/1990\n"
    + "Lena,Costa,lena@example.org,912345002,\n"
    + "Maria,Santos,maria.santos@example.org,,\n"
)
WRONG = NEW + "Nobody,,nobody,12,31/02/1990\n"

SHOWN = {
    "login": at("/accounts/login/", "Log in to Test Clinic", who=None),
    "login, wrong password": at(
        "/accounts/login/",
        "Please enter a correct username and password",
        fill("Username", "reception"),
        fill("Password", "wrong"),
        press("Log in"),
        who=None,
    ),
    "login, locked": at("/accounts/login/", "Too many attempts", guess, who=None, is_alone=True),
    "password": at("/accounts/password_change/", "Change password"),
    "password, refused": at(
        "/accounts/password_change/",
        "Your old password was entered incorrectly",
        fill("Old password", "wrong"),
        fill("New password", "short"),
        fill("New password confirmation", "other"),
        press("Change password"),
    ),
    "sessions": at("/accounts/sessions/", "this session"),
    "password changed": at("/accounts/password_change/done/", "Your password has been changed"),
    "audit trail": at("/audit/", "Audit trail", who="administrator"),
    "audit trail of a patient": at("/audit/?patient={patients.santos.pk}", "Maria Santos", who="administrator"),
    "audit trail, patients found": at(
        "/audit/", "Maria Santos", fill("Patient", "santos"), press("Find"), who="administrator"
    ),
    "login, second step": at("/accounts/login/code/", "Log in to Test Clinic", who=None),
    "account": at("/accounts/", "Your account"),
    "confirm": at("/accounts/confirm/?next=/&sent=1", "Your changes were not saved"),
    "confirm, refused": at(
        "/accounts/confirm/", "This is not your password", fill("Password", "wrong"), press("Confirm")
    ),
    "second factor": at("/accounts/second-factor/", "Set up the second factor"),
    "second factor, refused": at(
        "/accounts/second-factor/",
        "This code is wrong",
        fill("Code that the app shows now", "000"),
        press("Turn on"),
    ),
    "day": at("/", "Tuesday 24 November 2026"),
    "day of a doctor": at("/", "Tuesday 24 November 2026", who="doctor_user"),
    "day of a manager": at("/", "Tuesday 24 November 2026", who="manager"),
    "day of an administrator": at("/", "Admin", who="administrator"),
    "day, list": at("/schedule/?layout=list", "Zoë Müller"),
    "day, one doctor": at("/schedule/2026-11-24/?doctor={doctors.okafor.pk}", "Dr James Okafor"),
    "day, empty": at("/schedule/2026-12-08/", "Tuesday 8 December 2026"),
    "day, closed": at("/schedule/2026-12-25/", "Next open day"),
    "day, everybody shown": at("/schedule/2026-12-25/?away=show", "Hide their columns"),
    "day, empty list": at("/schedule/2026-12-08/?layout=list", "No appointments on this day."),
    "print": at("/schedule/2026-11-24/print/", "To print"),
    "print, next day": at("/schedule/next/print/", "To print"),
    "print, two days": at("/schedule/pack/", "To print"),
    "waiting": at("/waiting/", "István Kovács"),
    "waiting, of a doctor": at("/waiting/", "István Kovács", who="doctor_user"),
    "waiting, of a manager": at("/waiting/", "I. K.", who="manager"),
    "close out": at("/appointments/close-out/", "Close out past appointments"),
    "free times": at("/appointments/free/", "Free times"),
    "free times for a patient": at("/appointments/free/?patient={patients.haddad.pk}", "سمير حداد"),
    "book": at(BOOK, "Book an appointment"),
    "book, nothing chosen": at(BOOK, "Find the patient and choose the right one.", send),
    "book, patients found": at(BOOK, "Maria Santos", fill("Patient's name, phone or e-mail", "santos")),
    "book, no patient found": at(BOOK, "No patients match", fill("Patient's name, phone or e-mail", "no such name")),
    "book, patient picked": at(BOOK + "?patient={patients.haddad.pk}", "سمير حداد"),
    "book, refused": at(TAKEN, "booked 10:30", send),
    "appointment": at("/appointments/{booked.pk}/", "Next and last appointments"),
    "appointment, done": at("/appointments/{completed.pk}/", "Completed"),
    "appointment, cancelled": at("/appointments/{cancelled.pk}/", "Has to work"),
    "appointment, refused": at("/appointments/{booked.pk}/", "15 to 180", fill("Minutes", "5"), send),
    "day, panel": at("/schedule/?open={booked.pk}", "Next and last appointments"),
    "wrong patient": at("/appointments/{booked.pk}/patient/", "Reason for the change"),
    "move": at("/appointments/{booked.pk}/move/", "Move Maria Santos"),
    "move, refused": at("/appointments/{booked.pk}/move/", "booked 11:00", fill("Time", "11:00"), send),
    "cancel": at("/appointments/{booked.pk}/cancel/", "Cancel Maria Santos"),
    "cancel, refused": at("/appointments/{booked.pk}/cancel/", "This field is required.", send),
    "patients": at("/patients/", "Patients"),
    "patients, found": at("/patients/", "Maria Santos", fill("Name, phone or e-mail", "santos"), press("Find")),
    "patients, none found": at(
        "/patients/", "No patients match", fill("Name, phone or e-mail", "no such name"), press("Find")
    ),
    "patient": at("/patients/{patients.santos.pk}/", "9 March 1984"),
    "patient without appointments": at("/patients/{patients.brown.pk}/", "Olive Brown"),
    "register": at("/patients/new/", "Register a patient"),
    "register, refused": at("/patients/new/", "This field is required.", send),
    "edit": at("/patients/{patients.santos.pk}/edit/", "Edit Maria Santos"),
    "edit, refused": at("/patients/{patients.santos.pk}/edit/", "Enter a valid", fill("E-mail", "maria"), send),
    "import patients": at("/patients/import/", "Nothing is saved before", who="administrator"),
    "import patients, refused": at("/patients/import/", "This field is required.", send, who="administrator"),
    "import patients, preview": at(
        "/patients/import/", "will be registered", choose(NEW), send, who="administrator", is_alone=True
    ),
    "import patients, errors": at(
        "/patients/import/", "Nothing can be imported", choose(WRONG), send, who="administrator"
    ),
    "import patients, gone": at("/patients/import/999999/", "no longer there", who="administrator"),
    "export patients": at("/patients/export/", "All patients who are not anonymised", who="administrator"),
    "export patient data": at("/patients/{patients.santos.pk}/data/", "no other patient's data", who="administrator"),
    "anonymise": at("/patients/{patients.wozniak.pk}/anonymise/", "An appointment is still open", who="administrator"),
    "anonymise, not ticked": at(
        "/patients/{patients.haddad.pk}/anonymise/", "This field is required.", send, who="administrator"
    ),
    "retention": at("/patients/retention/", "Retention review", who="administrator"),
    "import doctors": at("/doctors/import/", "Nothing is saved before", who="administrator"),
    "import doctors, gone": at("/doctors/import/999999/", "no longer there", who="administrator"),
    "export appointments": at("/appointments/export/", "Export appointments", who="administrator"),
    "export appointments, refused": at(
        "/appointments/export/?first=2026-11-24&last=2026-11-23", "before the first", who="manager"
    ),
    "doctors": at("/doctors/", "Dr Ingrid Lindqvist"),
    "doctors of an administrator": at("/doctors/", "Add a doctor", who="administrator"),
    "doctor": at("/doctors/{doctors.lindqvist.pk}/", "Cardiology"),
    "doctor of an administrator": at("/doctors/{doctors.lindqvist.pk}/", "Add leave", who="administrator"),
    "calendar feed": at("/doctors/{doctors.lindqvist.pk}/calendar/", "There is no address", who="administrator"),
    "calendar feed, made": at(
        "/doctors/{doctors.lindqvist.pk}/calendar/",
        "It will not be shown again",
        press("Create an address"),
        who="administrator",
        is_alone=True,
    ),
    "calendar feed, there is one": at(
        "/doctors/{doctors.lindqvist.pk}/calendar/",
        "Revoke",
        press("Create an address"),
        follow("Done"),
        follow("Calendar feed"),
        who="administrator",
        is_alone=True,
    ),
    "away": at("/doctors/{doctors.ferreira.pk}/away/", "Dr Ana Ferreira is away", who="administrator"),
    "away, displaced": at("/doctors/{doctors.ferreira.pk}/away/", "affected appointments", send, who="administrator"),
    "leave": at("/doctors/{doctors.ferreira.pk}/leave/", "Leave of Dr Ana Ferreira", who="administrator"),
    "leave, refused": at("/doctors/{doctors.ferreira.pk}/leave/", "This field is required.", send, who="administrator"),
    "leave, displaced": at(LEAVE, "3 affected appointments", *LEAVE_STEPS, send, who="administrator"),
    "leave, edit": at("/doctors/leave/{leave.pk}/", "Delete", who="administrator"),
    "hours": at("/doctors/{doctors.ferreira.pk}/hours/", "Copy", who="administrator"),
    "hours, refused": at("/doctors/{doctors.ferreira.pk}/hours/", "at least one day", send, who="administrator"),
    "hours, edit": at("/doctors/hours/{timetable.pk}/", "Delete", who="administrator"),
    "closures": at("/doctors/closures/", "Christmas Day"),
    "closure": at("/doctors/closures/new/", "Closing day", who="administrator"),
    "closure, edit": at("/doctors/closures/{closure.pk}/", "Delete", who="administrator"),
    "holidays": at("/doctors/closures/holidays/", "Choose a country", who="administrator"),
    "holidays, found": at(
        "/doctors/closures/holidays/?country=PT&region=11&year=2027", "Good Friday", who="administrator"
    ),
    "worklists": at("/appointments/impacts/", "Nothing is left to do"),
    "worklist": at("/appointments/impacts/{worklist.pk}/", "is there again"),
    "worklist, open": at(LEAVE, "3 to move or cancel", *LEAVE_STEPS, send, send, who="administrator", is_alone=True),
    "worklist, print": at("/appointments/impacts/{worklist.pk}/print/", "To print"),
    "week": at("/doctors/{doctors.ferreira.pk}/week/2026-11-24/", "Maria Santos"),
    "week, the current one": at("/doctors/{doctors.ferreira.pk}/week/", "Tue 24 Nov"),
    "week, nothing booked": at("/doctors/{doctors.ferreira.pk}/week/2026-12-08/", "Tue 8 Dec"),
    "week of a doctor": at("/doctors/{doctors.ferreira.pk}/week/2026-11-24/", "Maria Santos", who="doctor_user"),
    "week of a manager": at("/doctors/{doctors.ferreira.pk}/week/2026-11-24/", "M. S.", who="manager"),
    "403": at("/patients/", "You don't have access to this page", who="manager"),
    "403, no form token": at(
        "/accounts/login/",
        "Please send the form again",
        fill("Username", "reception"),
        fill("Password", "wrong"),
        forget_cookies,
        press("Log in"),
        who=None,
        is_alone=True,
    ),
    "404": at("/nowhere/", "Not found"),
    "404, record": at("/patients/999999/", "Not found"),
    "405": at("/appointments/{booked.pk}/undo/", "This page can't be used that way"),
    "413": at("/patients/new/", "This is too large", overfill),
}

SEEN_BY_NOBODY = {
    "livez",
    "readyz",
    "session_left",  # background requests of a page
    "appointments:schedule_version",
    "appointments:calendar_feed",  # files for calendar programs
    "appointments:appointment_calendar",
    "api_root",
    "api_unknown",
}
# API URLs; the documentation page is in test_api_docs.py.
FOR_PROGRAMS = ("api:", "fhir:")

ON = {"1440 pixels": SCREEN, "390 pixels": PHONE}

on_both = pytest.mark.parametrize("screen", ON.values(), ids=ON)


def groups():
    """Return the pages by user and device, each group checked in one browser."""
    grouped = {}
    for name, shown in SHOWN.items():
        section = shown.address.split("/")[1].partition("?")[0] or "schedule"
        group = name if shown.is_alone else f"{section} of {shown.who or 'a stranger'}"
        grouped.setdefault(group, {})[name] = shown
    return grouped


GROUPS = groups()


@pytest.fixture
def open_for(request, open_page, clinic):
    """A function that opens a browser for a user; None for an anonymous visitor."""
    return lambda who, screen: open_page(who and request.getfixturevalue(who), **screen)


def show(page, shown, clinic):
    """Open a page and perform the steps that lead to the state to check."""
    page.goto(shown.address.format(**vars(clinic)))
    for step in shown.steps:
        step(page)
    expect(page.get_by_text(shown.text).locator("visible=true").first).to_be_visible()


def barriers(page, shown, clinic):
    """Return the problems of a page as text."""
    try:
        show(page, shown, clinic)
    except (AssertionError, Error) as error:
        return [f"cannot be shown: {error}"]
    found = []
    for check in (assert_no_sideways_scroll, assert_accessible):
        try:
            check(page)
        except AssertionError as error:
            found.append(str(error))
    return found


@on_both
@pytest.mark.parametrize("group", GROUPS)
def test_pages_are_accessible(open_for, clinic, group, screen):
    pages = GROUPS[group]
    page = open_for(next(iter(pages.values())).who, screen)

    found = [f"{name}: {each}" for name, shown in pages.items() for each in barriers(page, shown, clinic)]

    assert not found, "\n".join(found)


@on_both
def test_error_pages_are_accessible(open_for, clinic, monkeypatch, complaints, screen):
    page = open_for("receptionist", screen)
    found = []
    for error, heading in (
        (RuntimeError("ours"), "Something went wrong"),
        (OperationalError("away"), "The clinic's records are not available at the moment"),
        (SuspiciousOperation("odd"), "Bad request"),
    ):
        monkeypatch.setattr(doctor_views, "render", Mock(side_effect=error))
        found += [f"{heading}: {each}" for each in barriers(page, at("/doctors/", heading), clinic)]
        others = [each for each in complaints if not re.search(rf"{page.url}: 50\d$", each)]
        found += [f"{heading}: {each}" for each in others]
        complaints.clear()  # of the checked answer

    assert not found, "\n".join(found)


@on_both
def test_errors_without_database_are_accessible(open_for, clinic, monkeypatch, screen):
    page = open_for("receptionist", screen)
    found = []
    for status, heading in ((413, "This is too large"), (429, "Too many requests")):
        monkeypatch.setattr(doctor_views, "render", lambda request, *args, status=status: refusal_page(request, status))
        found += [f"{heading}: {each}" for each in barriers(page, at("/doctors/", heading), clinic)]

    assert not found, "\n".join(found)


def test_every_page_is_covered():
    answers = {name for name, methods in page_access.PAGES.items() if "GET" in methods}
    pages = {name for name in answers - SEEN_BY_NOBODY if not name.startswith(FOR_PROGRAMS)}

    looked_at = {
        resolve(urlsplit(re.sub(r"{[\w.]+}", "7", shown.address)).path).view_name
        for shown in SHOWN.values()
        if shown is not SHOWN["404"]
    }

    assert pages - looked_at == set()


def test_admin_pages_load_all_their_parts(open_for, clinic):
    """Django's own pages are not checked for accessibility; the browser's complaints fail the test."""
    page = open_for("administrator", SCREEN)
    patient, base = clinic.patients.santos.pk, "/admin/patients/patient/"
    ends = ("", "add/", f"{patient}/change/", f"{patient}/history/", f"{patient}/delete/")
    for address in ("/admin/", "/admin/patients/", *(base + end for end in ends), "/admin/appointments/appointment/"):
        page.goto(address)

        expect(page.locator("dialog#session")).to_be_hidden()  # without its style, it would be a part of the page


# Problems that cannot be found in the markup


def test_wrong_password_is_reported_at_the_password_field(stranger, clinic):
    page = stranger
    show(page, SHOWN["login, wrong password"], clinic)

    password = page.get_by_label("Password", exact=True)
    expect(password).to_be_focused()
    expect(password).to_have_accessible_description(re.compile("correct username and password"))
    expect(page.get_by_label("Username")).to_have_value("reception")
