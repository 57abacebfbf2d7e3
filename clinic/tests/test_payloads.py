"""Input stays text in every field and on every page: markup, templates, quotes and direction marks."""

import datetime as dt
from collections import Counter
from html.parser import HTMLParser

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from appointments.booking import actions
from appointments.displaced.finder import open_schedule_change
from appointments.models import CalendarFeed
from appointments.tests.factories import AppointmentFactory
from clinic.models import ApiToken, AuditEntry, Session, User
from clinic.tests.api_client import token_of
from clinic.tests.crawl import ADMINISTRATOR, DOCTOR, MANAGER, RECEPTIONIST, TABLE, grant_to, session_of
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases, codes_of
from doctors.models import Closure, Doctor, Leave
from doctors.tests.factories import DoctorFactory, TimetableFactory
from patients.models import Patient

pytestmark = pytest.mark.usefixtures("db", "now")

AT_10 = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)
AT_8 = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
QR_CODE = "data:image/svg+xml;base64,"  # of the second factor; as an image it runs nothing
MARK = "zq"  # of elements and attributes that only a payload would bring
# Each fits the shortest field, a name of 50 characters. Long texts are tried in the browser, where they could do harm.
PAYLOADS = {
    "script and entity": "<script>zq(1)</script>&lt;zq&gt;&#x3c;zq&#62;",
    "element": "\"><img src=x zq onerror='zq(1)'>",
    "template and percent": "{{7*7}}{% now 'zq' %}%s %(zq)s ${7*7}%0d%0aX-Zq: 1",
    "address and quotes": 'javascript:zq(1)"\'` zq=1 onfocus=zq autofocus x="',
    "comment": "--><!-- zq </textarea></title></style><zq>",
}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
VOID |= {"path", "circle", "rect", "line", "use"}  # drawn as closed shapes
OPTIONAL = {"li", "dt", "dd", "p", "option", "thead", "tbody", "tr", "td", "th", "colgroup", "optgroup"}


def cut(text, length):
    return text[:length].strip()


def saved(record):
    record.full_clean()
    record.save()
    return record


def plant(text, user, other, number=0):
    """Put a text into every field that takes it by the rules; return ids for the table. Each number serves once."""
    user.first_name, user.last_name = cut(text, 150), cut(text, 150)
    saved(user)
    doctor = saved(Doctor(full_name=cut(text, 100), specialization=cut(text, 100), user=user))
    timetable = TimetableFactory(doctor=doctor)
    patient = saved(Patient(first_name=cut(text, 50), last_name=cut(text, 50), email=f"o'zq+{number}@example.org"))
    texts = {"reason": cut(text, 200), "notes": cut(text, 2000), "outside_hours_reason": cut(text, 200)}
    appointment = actions.book(
        patient=patient, doctor=doctor, start_time=AT_10, duration_minutes=30, by=None,
        reason=texts["reason"], notes=texts["notes"],
    )  # fmt: skip
    arrived = AppointmentFactory(doctor=doctor, patient=patient, start_time=AT_8, status="arrived", **texts)
    gone = AppointmentFactory(doctor=doctor, patient=patient, start_time=AT_10 + dt.timedelta(hours=3), **texts)
    actions.cancel(gone, reason=texts["reason"], cancelled_by="patient", by=None)
    start = AT_10 + dt.timedelta(days=1)
    leave = saved(Leave(doctor=doctor, start_time=start, end_time=start + dt.timedelta(days=1), reason=cut(text, 100)))
    closure = saved(Closure(date=dt.date(2026, 12, 28) + dt.timedelta(days=number), name=cut(text, 100)))
    token = ApiToken(user=other, name=cut(text, 100))
    token.make_text()
    saved(token)
    return {
        "appointment": appointment.pk, "arrived": arrived.pk, "patient": patient.pk, "doctor": doctor.pk,
        "timetable": timetable.pk, "leave": leave.pk, "closure": closure.pk, "user": user.pk, "token": token.pk,
        "worklist": open_schedule_change([appointment], cause=cut(text, 255), by=user).pk,
        "feed_token": CalendarFeed.make(doctor, by=None), "patient_type": 1,
        "grant": grant_to(user), "session": Session.objects.get(pk=session_of(user)).handle,
        "entry": AuditEntry.objects.get_for_object(patient).first().pk,
    }  # fmt: skip


class Page(HTMLParser):
    """Records harmful effects of a text, and elements that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.harm, self.open, self.scripts = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        named = dict(attrs)
        if MARK in tag or any(MARK in name or name.startswith("on") for name in named):
            self.harm.append((tag, attrs))
        if tag == "script" and not named.get("src") and named.get("type") != "application/json":
            self.harm.append((tag, attrs))
        if tag == "img" and (named.get("src") or "").startswith(QR_CODE):
            return
        for name in ("href", "src", "action", "formaction"):
            if (named.get(name) or "").strip().lower().startswith(("javascript:", "data:", "vbscript:")):
                self.harm.append((tag, name, named[name]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag and tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        while self.open and self.open[-1] != tag and self.open[-1] in OPTIONAL:
            self.open.pop()
        if not self.open or self.open.pop() != tag:
            self.harm.append(("unbalanced", tag))

    def handle_comment(self, data):
        if MARK in data:
            self.harm.append(("comment", data))


FEEDS = {"appointments:calendar_feed", "appointments:appointment_calendar"}
MORE = (
    "/?layout=list",
    "/?specialization={doctor}",
    "/schedule/2026-11-24/?move={appointment}",
    "/appointments/book/?patient={patient}&doctor={doctor}&date=2026-11-24&time=10:00",
    "/admin/appointments/appointment/?q=zq",
    "/admin/patients/patient/?q=zq",
)
# An administrator sees all pages; the other roles' own ways of showing are looked at with what breaks out soonest.
TEXTS_OF = {ADMINISTRATOR: PAYLOADS}
SOONEST = {name: PAYLOADS[name] for name in ("element", "address and quotes")}


def pages_of(role, worlds):
    """Yield the role's pages: those of each text's records, and once those that show all."""
    templates = [address for name, (address, row) in TABLE.items() if role in row.get("GET", ()) and name not in FEEDS]
    templates += [address for address in MORE if role == ADMINISTRATOR or not address.startswith("/admin/")]
    for template in templates:
        for name, ids in worlds.items() if "{" in template else [("all", {})]:
            yield name, template.format(**ids)


def faults_of(response, body):
    """Return the effects of a text in a response."""
    if response.status_code >= 500 or "X-Zq" in response.headers:
        return [response.status_code]
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return []
    page = Page()
    page.feed(body)
    page.close()
    reckoned = ["reckoned"] if "49{%" in body.replace(" ", "") else []
    return page.harm + reckoned + ([] if page.open in ([], ["html"], ["body"]) else page.open)


@pytest.mark.no_cover  # as the crawl of `test_access.py`
@pytest.mark.parametrize("role", [ADMINISTRATOR, RECEPTIONIST, MANAGER, DOCTOR])
def test_text_stays_text_on_every_page(role):
    texts, wrong, shown = TEXTS_OF.get(role, SOONEST), {}, Counter()
    doctors = {name: UserFactory(role=DOCTOR) for name in texts}
    somebody = UserFactory(role=role)
    worlds = {name: plant(text, doctors[name], somebody, n) for n, (name, text) in enumerate(texts.items())}

    for user in doctors.values() if role == DOCTOR else [somebody]:
        client = Client(raise_request_exception=False)
        client.force_login(user)
        headers = {"Authorization": f"Bearer {token_of(user)}"}
        for name, address in pages_of(role, worlds):
            response = client.get(address, headers=headers if address.startswith("/api/") else {})
            body = "" if response.streaming else response.content.decode()
            shown[name] += MARK in body
            if faults := faults_of(response, body):
                wrong[name, address] = faults

    assert wrong == {}
    assert all(shown[name] > (10 if role == ADMINISTRATOR else 2) for name in (*texts, "all")), shown


def test_page_that_treats_text_as_markup_is_detected():
    for text in ("<script>x</script>", "<img onerror=x>", "<p zq=1>", "<a href=javascript:x>", "</main>", "<!--zq-->"):
        page = Page()
        page.feed(f"<main><p>{text}</p></main>")
        assert page.harm, text


# Invisible names and names that change the text direction


UNSEEN = ["\u200b", "\u2060\ufeff", "\u3164", "\u00ad", "\u115f", "\u2800"]
TURNING = ["Ana\u202eanA", "\u2066Ana", "Ana\x00", "Ana\x07", "Ana\u202d"]

NAMED = {
    "first name": lambda name: ("first_name", Patient(first_name=name, last_name="Silva", email="a@example.org")),
    "last name": lambda name: ("last_name", Patient(first_name="Ana", last_name=name, email="a@example.org")),
    "doctor": lambda name: ("full_name", Doctor(full_name=name, specialization="Cardiology")),
    "specialization": lambda name: ("specialization", Doctor(full_name="Dr Ana", specialization=name)),
    "username": lambda name: ("username", User(username=name, password="x")),
    "user's first name": lambda name: ("first_name", User(username="ana", password="x", first_name=name)),
    "user's last name": lambda name: ("last_name", User(username="ana", password="x", last_name=name)),
    "token": lambda name: ("name", ApiToken(user=UserFactory(), name=name)),
    "closure": lambda name: ("name", Closure(date=dt.date(2026, 12, 28), name=name)),
    "leave": lambda name: (
        "reason",
        Leave(doctor=DoctorFactory(), start_time=AT_10, end_time=AT_10 + dt.timedelta(days=1), reason=name),
    ),
}


def test_invisible_and_direction_changing_names_are_refused():
    with Cases() as case:
        for text in UNSEEN + TURNING:
            for what in NAMED:
                with case(what, text):
                    field, record = NAMED[what](text)

                    refused = set(codes_of(record).get(field, []))

                    assert refused & {"blank_name", "bad_character", "blank", "invalid", "null_characters_not_allowed"}


def test_readable_name_is_accepted():
    with Cases() as case:
        for what in NAMED:
            with case(what):
                field, record = NAMED[what]("ana.silva")

                assert field not in codes_of(record)


@pytest.mark.both_databases
def test_user_form_of_the_admin_refuses_an_invisible_name(in_admin):
    sent = {"username": "\u3164", "password1": "blue-heron-4711", "password2": "blue-heron-4711"}

    response = in_admin.post("/admin/clinic/user/add/", sent)

    assert response.status_code == 200
    assert "username" in response.context["adminform"].form.errors
    assert not User.objects.filter(username="\u3164").exists()


def test_username_with_several_errors_is_refused_once():
    with pytest.raises(ValidationError) as refusal:
        User(username="a b\u202e", password="x").full_clean()

    assert set(refusal.value.error_dict) == {"username"}
