"""Password confirmation before exports and security settings."""

import datetime as dt

import pytest
from django.contrib.auth import get_user
from django.test import Client
from django_otp.oath import TOTP

from appointments.models import CalendarFeed
from clinic.accounts import second_factor
from clinic.models import ApiToken, User
from clinic.tests.crawl import TABLE
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases
from clinic.tests.test_next import TRICKS
from clinic.web.page_access import CONFIRMED

pytestmark = pytest.mark.usefixtures("db", "now")

PASSWORD = "demo-clinic-2026"
GOOD = "umbrella kettle 71 granite"
TEN_MINUTES = dt.timedelta(minutes=10)
CONFIRM = "/accounts/confirm/"
EXPORT = "/patients/export/"
SESSIONS = "/accounts/sessions/"
NO_BREAKS = dict.fromkeys(map(ord, "\x00\t\r\n"))  # which no header holds

# Repeated here on purpose; nothing is read from clinic.access.
BOTH = ("GET", "POST")
ASKED = {
    "appointments:appointment_export": ("GET",),
    "appointments:calendar_feed_edit": ("POST",),
    "patients:patient_export": ("GET",),
    "patients:patient_data": ("GET",),
    "patients:patient_anonymise": BOTH,
    "session_end": ("POST",),
    "session_end_others": ("POST",),
    "second_factor": BOTH,
    "admin:clinic_user_changelist": ("POST",),
    "admin:clinic_user_add": BOTH,
    "admin:clinic_user_change": BOTH,
    "admin:auth_user_password_change": BOTH,
    "admin:clinic_apitoken_changelist": BOTH,
    "admin:clinic_apitoken_add": BOTH,
    "admin:clinic_apitoken_change": BOTH,
    "admin:appointments_emergencygrant_changelist": ("POST",),
    "admin:appointments_emergencygrant_add": BOTH,
}
EACH = [(page, method) for page, methods in ASKED.items() for method in methods]


def address_of(page):
    class Ids(dict):
        def __missing__(self, key):
            return 7

    return TABLE[page][0].format_map(Ids())


def error_codes(response):
    return {error.code for errors in response.context["form"].errors.as_data().values() for error in errors}


def asks(response):
    return response.status_code == 302 and response["Location"].startswith(CONFIRM)


@pytest.fixture
def stale(in_admin, now):
    """An administrator who logged in some time ago."""
    now.shift(TEN_MINUTES + dt.timedelta(seconds=1))
    return in_admin


def test_pages_to_be_confirmed_are_pages_of_the_portal():
    assert {(page, method) for page, methods in ASKED.items() for method in methods} == CONFIRMED
    assert set(ASKED) <= set(TABLE)


def test_page_asks_for_the_password_after_ten_minutes(stale):
    with Cases(client=stale) as case:
        for page, method in EACH:
            with case(page, method):
                response = stale.generic(method, address_of(page))

                led_back_to = SESSIONS if page.startswith("session_end") else address_of(page)
                assert response["Location"].startswith(f"{CONFIRM}?next={led_back_to}")
                assert ("sent=1" in response["Location"]) == (method == "POST")


def test_page_asks_for_no_password_right_after_login(in_admin, now):
    with Cases(client=in_admin, now=now) as case:
        for page, method in EACH:
            with case(page, method):
                now.shift(TEN_MINUTES - dt.timedelta(seconds=1))

                assert not asks(in_admin.generic(method, address_of(page)))


def test_other_pages_ask_for_no_password(stale):
    with Cases(client=stale) as case:
        for page in ["/", "/patients/", "/admin/", "/admin/clinic/user/", "/admin/patients/patient/"]:
            with case(page):
                assert stale.get(page).status_code == 200


def test_head_asks_like_get(stale):
    assert asks(stale.head(EXPORT))


def test_sent_form_is_not_processed(stale, receptionist):
    before = User.objects.count()

    stale.post("/admin/clinic/user/add/", {"username": "nuno", "password1": GOOD, "password2": GOOD})
    stale.post(f"/admin/clinic/user/{receptionist.pk}/change/", {"username": "renamed"})
    stale.post("/admin/clinic/apitoken/add/", {"user": receptionist.pk, "name": "Program"})

    assert User.objects.count() == before
    assert User.objects.filter(username="reception").exists()
    assert not ApiToken.objects.exists()


def test_feed_is_not_created_before_confirmation(stale, doctor):
    assert stale.get(f"/doctors/{doctor.pk}/calendar/").status_code == 200

    stale.post(f"/doctors/{doctor.pk}/calendar/", {"make": ""})

    assert not CalendarFeed.objects.exists()


def test_user_without_access_is_not_asked_to_confirm(at_desk, now):
    now.shift(TEN_MINUTES + dt.timedelta(seconds=1))

    assert at_desk.get(EXPORT).status_code == 403


def test_password_opens_the_page_for_ten_minutes(stale, now):
    response = stale.post(CONFIRM, {"password": PASSWORD, "next": EXPORT})

    assert response["Location"] == EXPORT
    assert stale.get(EXPORT).status_code == 200
    now.shift(TEN_MINUTES + dt.timedelta(seconds=1))
    assert asks(stale.get(EXPORT))


def referring_page(page):
    return {"Referer": f"http://testserver{page}"}


def test_confirming_before_ending_other_sessions_returns_to_the_list(stale, administrator):
    other = Client()
    other.force_login(administrator)

    asked = stale.post("/accounts/sessions/end-others/", headers=referring_page(SESSIONS))
    led = stale.post(asked["Location"], {"password": PASSWORD, "next": stale.get(asked["Location"]).context["next"]})

    assert led["Location"] == SESSIONS
    assert stale.get(SESSIONS).status_code == 200
    stale.post("/accounts/sessions/end-others/")
    assert not get_user(other).is_authenticated


def test_download_returns_to_the_page_that_offers_it(stale):
    table = [
        ("/patients/export/?as=csv", "/patients/export/"),
        ("/patients/7/data/?as=html", "/patients/7/data/"),
        (
            "/appointments/export/?first=2026-11-23&last=2026-11-24&doctor=&as=xlsx",
            "/appointments/export/?first=2026-11-23&last=2026-11-24&doctor=",
        ),
        ("/admin/clinic/user/add/?_popup=1", "/admin/clinic/user/add/?_popup=1"),
    ]
    with Cases(client=stale) as case:
        for asked, led_back_to in table:
            with case(asked, led_back_to):
                assert stale.get(stale.get(asked)["Location"]).context["next"] == led_back_to


def test_cancel_url_is_the_referring_page(stale):
    asked = stale.get(EXPORT, headers=referring_page("/patients/?page=2"))
    wrong = stale.post(asked["Location"], {"password": "wrong"})

    assert stale.get(asked["Location"]).context["back_url"] == "/patients/?page=2"
    assert wrong.context["back_url"] == "/patients/?page=2"


def test_cancel_url_is_the_schedule_if_the_page_needs_confirmation(stale):
    with Cases(client=stale) as case:
        for before in [EXPORT, CONFIRM, "/accounts/login/", "/nowhere/", "/accounts/logout/"]:
            with case(before):
                asked = stale.get(EXPORT, headers=referring_page(before))

                assert stale.get(asked["Location"]).context["back_url"] == "/schedule/"


def test_cancel_url_is_never_another_host(stale):
    with Cases(client=stale) as case:
        for target in TRICKS:
            with case(target):
                asked = stale.get(
                    EXPORT, headers={"Referer": target.encode("ascii", "ignore").decode().translate(NO_BREAKS)}
                )

                assert stale.get(asked["Location"]).context["back_url"] == "/schedule/"
                assert stale.get(CONFIRM, {"next": EXPORT, "back": target}).context["back_url"] == "/schedule/"


def test_page_explains_why_and_that_nothing_was_processed(stale):
    asked = stale.post("/admin/clinic/apitoken/add/", {"name": "Program"})
    page = stale.get(asked["Location"])

    assert page.context["was_sent"]
    assert page.context["next"] == "/admin/clinic/apitoken/add/"


def test_next_url_of_another_host_is_ignored(stale):
    response = stale.post(CONFIRM, {"password": PASSWORD, "next": "https://evil.example/"})

    assert response["Location"] == "/accounts/"


def test_session_key_changes_afterwards(stale, administrator):
    key = stale.session.session_key

    stale.post(CONFIRM, {"password": PASSWORD})

    assert stale.session.session_key != key
    assert not stale.session.exists(key)
    assert get_user(stale) == administrator


def test_wrong_password_confirms_nothing(stale):
    response = stale.post(CONFIRM, {"password": "wrong", "next": EXPORT})

    assert error_codes(response) == {"wrong_password"}
    assert asks(stale.get(EXPORT))


def test_password_of_another_user_confirms_nothing(stale):
    UserFactory(username="other", password="heron-lantern-4711")

    response = stale.post(CONFIRM, {"username": "other", "password": "heron-lantern-4711"})

    assert error_codes(response) == {"wrong_password"}


@pytest.mark.both_databases
def test_wrong_passwords_count_as_failed_logins(stale):
    statuses = [stale.post(CONFIRM, {"password": "wrong"}).status_code for _ in range(5)]

    response = stale.post(CONFIRM, {"password": PASSWORD})

    assert statuses == [200, 200, 200, 200, 429]
    assert error_codes(response) == {"locked"}
    assert asks(stale.get(EXPORT))


@pytest.mark.both_databases
def test_confirming_resets_the_failure_count(stale):
    for _ in range(2):
        for _ in range(4):
            stale.post(CONFIRM, {"password": "wrong"})
        assert stale.post(CONFIRM, {"password": PASSWORD}).status_code == 302


# With a second factor


@pytest.fixture
def device(administrator):
    made = second_factor.new_device(administrator)
    made.save()
    return made


def code_of(device):
    return f"{TOTP(device.bin_key).token():06}"


def test_confirmation_asks_for_the_second_factor_too(stale, device):
    without = stale.post(CONFIRM, {"password": PASSWORD})
    assert error_codes(without) == {"required"}
    assert asks(stale.get(EXPORT))

    stale.post(CONFIRM, {"password": PASSWORD, "code": code_of(device)})

    assert stale.get(EXPORT).status_code == 200


def test_wrong_code_confirms_nothing_and_counts(stale, device, now):
    statuses = []
    for _ in range(5):
        code = f"{(int(code_of(device)) + 1) % 1_000_000:06}"
        statuses.append(stale.post(CONFIRM, {"password": PASSWORD, "code": code}).status_code)
        now.shift(dt.timedelta(seconds=20))

    assert statuses == [200, 200, 200, 200, 429]
    assert asks(stale.get(EXPORT))


def test_code_is_not_tried_with_a_wrong_password(stale, device):
    stale.post(CONFIRM, {"password": "wrong", "code": code_of(device)})

    assert stale.post(CONFIRM, {"password": PASSWORD, "code": code_of(device)}).status_code == 302


def test_confirming_with_a_code_satisfies_required_second_factor(stale, device, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    assert asks(stale.get("/patients/"))

    stale.post(CONFIRM, {"password": PASSWORD, "code": code_of(device)})

    assert stale.get("/patients/").status_code == 200


def test_button_without_its_own_page_returns_to_the_referring_page(stale, device, settings):
    settings.REQUIRE_SECOND_FACTOR = True

    asked = stale.post("/appointments/7/arrive/", headers=referring_page("/schedule/2026-11-24/"))
    unsaid = stale.post("/appointments/7/arrive/")

    assert stale.get(asked["Location"]).context["next"] == "/schedule/2026-11-24/"
    assert stale.get(unsaid["Location"]).context["next"] == "/"
