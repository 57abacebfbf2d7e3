"""Input stays text in a browser, too: nothing runs, and no element appears.

That the markup is right, for every page and role, is in `clinic/tests/test_payloads.py`; here the browser reads it.
"""

import datetime as dt
from types import SimpleNamespace

import pytest

from appointments.booking import actions
from appointments.displaced.finder import open_schedule_change
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import ADMINISTRATOR, DOCTOR, RECEPTIONIST
from clinic.models import ApiToken
from clinic.tests.browser.checks import TOO_WIDE
from clinic.tests.browser.conftest import PHONE, SCREEN
from clinic.tests.browser.scene import YESTERDAY, at
from clinic.tests.factories import UserFactory
from doctors.models import Closure, Doctor, Leave
from doctors.tests.factories import TimetableFactory
from patients.models import Patient

MARK = "zq"  # of elements and attributes that only a payload would bring
TEXTS = [
    "<script>alert('zq')</script>",
    "\"><img src=x zq onerror=alert('zq')>",
    "{{7*7}}{% now 'zq' %} ${7*7}",
    "\u200fzq שלום\u200f \u061cسلام\u200e",
    "zq" + "W" * 500,
]
ESCAPED = """() => [...document.querySelectorAll("*")]
  .filter((element) => element.localName.includes("zq") || [...element.attributes].some((each) =>
    each.name.includes("zq") || each.name.startsWith("on") || /^\\s*javascript:/i.test(each.value)))
  .concat([...document.querySelectorAll("script:not([src]):not([type='application/json'])")])
  .map((element) => element.outerHTML.slice(0, 200))"""


def cut(text, length):
    return text[:length].strip()


def saved(record):
    record.full_clean()
    record.save()
    return record


def plant(text, number, *, by):
    """Put a text into every field that accepts it; return the ids for the URLs."""
    user = UserFactory(username=f"doctor{number}", role=DOCTOR, first_name=cut(text, 150), last_name=cut(text, 150))
    doctor = saved(Doctor(full_name=cut(text, 100), specialization=cut(text, 100), user=user))
    timetable = TimetableFactory(doctor=doctor)
    patient = saved(Patient(first_name=cut(text, 50), last_name=cut(text, 50), email=f"o'{number}@example.org"))
    who = {"patient": patient, "doctor": doctor, "duration_minutes": 30, "by": by}
    texts = {"reason": cut(text, 200), "notes": cut(text, 2000)}
    appointment = actions.book(start_time=at("10:30"), **who, **texts)
    gone = actions.book(start_time=at("14:00"), **who, **texts)
    actions.cancel(gone, reason=cut(text, 200), cancelled_by="patient", by=by)
    AppointmentFactory(patient=patient, doctor=doctor, start_time=at("15:00", YESTERDAY), reason=cut(text, 200))
    start = at("00:00", dt.date(2026, 12, 1))
    leave = saved(Leave(doctor=doctor, start_time=start, end_time=start + dt.timedelta(days=1), reason=cut(text, 100)))
    closure = saved(Closure(date=dt.date(2026, 12, 20 + number), name=cut(text, 100)))
    token = ApiToken(user=user, name=cut(text, 100))
    token.make_text()
    saved(token)
    worklist = open_schedule_change([appointment], cause=cut(text, 255), by=by)
    return SimpleNamespace(
        appointment=appointment.pk,
        gone=gone.pk,
        patient=patient.pk,
        doctor=doctor.pk, timetable=timetable.pk, leave=leave.pk,
        closure=closure.pk, token=token.pk, worklist=worklist.pk, user=user.pk,
    )  # fmt: skip


SHARED = ["/", "/schedule/?layout=list", "/schedule/2026-11-24/print/", "/doctors/", "/doctors/closures/"]
SHARED += ["/appointments/free/", "/appointments/impacts/", "/appointments/close-out/"]
OF_EACH = [
    "/patients/{0.patient}/",
    "/patients/{0.patient}/edit/",
    "/appointments/{0.appointment}/",
    "/appointments/{0.gone}/",
    "/appointments/{0.appointment}/move/",
    "/appointments/{0.appointment}/cancel/",
    "/appointments/book/?patient={0.patient}&doctor={0.doctor}&date=2026-11-24&time=10:30",
    "/appointments/impacts/{0.worklist}/",
    "/doctors/{0.doctor}/",
    "/doctors/{0.doctor}/week/2026-11-24/",
]
ADMINS_SHARED = ["/audit/", "/admin/clinic/user/", "/admin/clinic/apitoken/"]
ADMINS_SHARED += ["/admin/patients/patient/", "/admin/doctors/doctor/", "/admin/appointments/appointment/"]
ADMINS_OF_EACH = [
    "/audit/?patient={0.patient}",
    "/patients/{0.patient}/data/",
    "/patients/{0.patient}/anonymise/",
    "/doctors/leave/{0.leave}/",
    "/doctors/closures/{0.closure}/",
    "/admin/patients/patient/{0.patient}/change/",
    "/admin/patients/patient/{0.patient}/history/",
    "/admin/appointments/appointment/{0.appointment}/change/",
    "/admin/clinic/user/{0.user}/change/",
]


@pytest.fixture
def walker(open_page):
    """A function that opens a browser which detects the effects of a payload."""

    def walker(user):
        page = open_page(user)
        page.harm = []
        page.on("dialog", lambda dialog: (page.harm.append(f"dialog on {page.url}"), dialog.dismiss()))
        return page

    return walker


def look_for_harm(page):
    """Record elements created by a text, evaluated expressions, and pages that become too wide."""
    page.harm += [f"{page.url}: {element}" for element in page.evaluate(ESCAPED)]
    if "49{%" in page.content():
        page.harm.append(f"{page.url}: reckoned")
    if "/admin/" not in page.url:
        for screen in (PHONE, SCREEN):
            page.set_viewport_size(screen["viewport"])
            page.harm += [f"{page.url}: {wide}" for wide in page.evaluate(TOO_WIDE)]


def search(page):
    """Open the patient suggestions of the top bar, and the search results."""
    page.goto("/patients/")
    page.get_by_label("Find patient").press_sequentially(MARK)
    page.get_by_label("Find patient").press("ArrowDown")  # too short to be searched for while typing
    page.locator("#found li").first.wait_for()
    look_for_harm(page)
    page.get_by_label("Find patient").press("Enter")
    page.get_by_role("main").get_by_role("link", name=MARK).first.wait_for()
    page.wait_for_load_state()  # without its stylesheets, a page is as wide as its text
    look_for_harm(page)


@pytest.mark.parametrize("role", [RECEPTIONIST, ADMINISTRATOR])
def test_planted_text_neither_runs_nor_breaks_a_page(walker, role):
    user = UserFactory(role=role)
    planted = [plant(text, number, by=user) for number, text in enumerate(TEXTS)]
    shared, of_each = (SHARED, OF_EACH) if role == RECEPTIONIST else (ADMINS_SHARED, ADMINS_OF_EACH)
    addresses = shared + [address.format(ids) for ids in planted for address in of_each]
    page, missing = walker(user), []

    for address in addresses:
        answer = page.goto(address)
        look_for_harm(page)
        if answer.status != 200 or MARK not in page.content():
            missing.append(f"{address}: {answer.status}")
    search(page)

    assert not page.harm, "\n".join(page.harm)
    assert missing == []


def test_text_that_runs_is_detected(walker, complaints):
    page = walker(UserFactory(role=RECEPTIONIST))
    page.goto("/")

    for text in TEXTS[:2]:
        page.locator("main").evaluate("(main, text) => { main.innerHTML = text; }", f'<p title="{text}">{text}</p>')
        look_for_harm(page)

    assert len(page.harm) >= 2
    assert complaints
    complaints.clear()
