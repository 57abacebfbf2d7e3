"""Sessions for users: a warning before the end, and a page that shows no patient after it."""

import re

import pytest
from playwright.sync_api import expect

from appointments.booking import actions
from clinic.models import SavedForm, Session
from clinic.tests.browser.checks import assert_accessible, assert_no_sideways_scroll
from clinic.tests.browser.conftest import PHONE, SCREEN
from clinic.tests.browser.hands import Hands

PASSWORD = "demo-clinic-2026"
MINUTE = 60
BOOK = "/appointments/book/"
LEFT = "/accounts/sessions/left/"


@pytest.fixture
def pass_time(now):
    """A function that lets time pass for the portal and for browsers with `with_clock`."""

    def pass_time(*pages, seconds):
        now.shift(seconds)
        for page in pages:
            page.clock.fast_forward(seconds * 1000)

    return pass_time


@pytest.fixture
def with_clock(now):
    """A function that makes a browser's clock adjustable."""

    def with_clock(page):
        page.clock.install()
        return page

    return with_clock


@pytest.fixture
def clocked_desk(desk, with_clock):
    return with_clock(desk)


def warning(page):
    return page.get_by_role("alertdialog")


def log_in(page, username="reception"):
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def leave_alone(page, pass_time):
    """Let the session end by inactivity."""
    pass_time(page, seconds=14 * MINUTE + 10)
    expect(warning(page)).to_be_visible()
    pass_time(page, seconds=MINUTE)


def type_a_booking(page):
    page.get_by_label("Patient's name, phone or e-mail").fill("woźniak")
    page.get_by_role("button", name=re.compile("Łucja Woźniak")).click()
    page.get_by_label("Reason").fill("Sore knee")


# The warning


@pytest.mark.parametrize("screen", [SCREEN, PHONE], ids=["1440 pixels", "390 pixels"])
def test_warning_comes_a_minute_before_the_end_and_is_accessible(
    open_page, receptionist, clinic, with_clock, pass_time, screen
):
    page = with_clock(open_page(receptionist, **screen))
    page.goto("/")
    pass_time(page, seconds=13 * MINUTE)
    expect(warning(page)).to_be_hidden()

    pass_time(page, seconds=MINUTE + 10)

    expect(warning(page)).to_be_visible()
    expect(warning(page)).to_contain_text(re.compile(r"logged out in [45]\d seconds"))
    expect(page.get_by_role("button", name="Stay logged in")).to_be_focused()
    assert_accessible(page)
    assert_no_sideways_scroll(page)


@pytest.mark.parametrize("stay", ["button", "Escape"])
def test_staying_works_from_the_keyboard(clocked_desk, clinic, pass_time, stay):
    clocked_desk.goto("/")
    pass_time(clocked_desk, seconds=14 * MINUTE + 10)
    expect(warning(clocked_desk)).to_be_visible()

    Hands(clocked_desk).press("Enter" if stay == "button" else "Escape")

    expect(warning(clocked_desk)).to_be_hidden()
    pass_time(clocked_desk, seconds=13 * MINUTE)
    clocked_desk.goto("/patients/")
    expect(clocked_desk.get_by_role("heading", name="Patients")).to_be_visible()


def test_logging_out_from_the_warning(clocked_desk, clinic, pass_time):
    clocked_desk.goto("/")
    pass_time(clocked_desk, seconds=14 * MINUTE + 10)

    warning(clocked_desk).get_by_role("button", name="Log out").click()

    expect(clocked_desk.get_by_label("Username")).to_be_visible()
    assert not Session.objects.exists()


def test_warning_explains_what_happens_to_the_form(clocked_desk, clinic, pass_time):
    clocked_desk.goto("/patients/new/")
    clocked_desk.get_by_label("First name").fill("Nuno")
    pass_time(clocked_desk, seconds=14 * MINUTE + 10)
    expect(warning(clocked_desk)).to_contain_text("unless you press “Log out”")

    warning(clocked_desk).get_by_role("button", name="Log out").click()

    expect(clocked_desk.get_by_label("Username")).to_be_visible()
    expect(clocked_desk.get_by_text("has ended")).to_be_hidden()
    assert not SavedForm.objects.exists()


def test_single_keys_do_not_act_behind_the_warning(clocked_desk, clinic, pass_time):
    clocked_desk.goto("/")
    pass_time(clocked_desk, seconds=14 * MINUTE + 10)
    expect(warning(clocked_desk)).to_be_visible()

    Hands(clocked_desk).press("b")

    expect(warning(clocked_desk)).to_be_visible()
    assert clocked_desk.url.endswith("/")


def test_warning_in_the_admin_and_on_paper(open_page, administrator, clinic, with_clock, pass_time):
    page = with_clock(open_page(administrator))
    for address in ("/admin/patients/patient/", "/schedule/2026-11-24/print/"):
        page.goto(address)
        pass_time(page, seconds=14 * MINUTE + 10)
        expect(warning(page)).to_be_visible()
        assert_accessible(page)
        page.get_by_role("button", name="Stay logged in").click()
        expect(warning(page)).to_be_hidden()


@pytest.mark.parametrize("page", ["", "{pk}/change/", "{pk}/history/", "{pk}/delete/"])
def test_admin_page_is_covered_when_the_session_ends(open_page, administrator, clinic, with_clock, pass_time, page):
    tab = with_clock(open_page(administrator))
    tab.goto(f"/admin/patients/patient/{page}".format(pk=clinic.patients.santos.pk))
    expect(tab.get_by_text("Santos").first).to_be_visible()

    leave_alone(tab, pass_time)

    expect(tab.get_by_label("Username")).to_be_visible()
    assert "Santos" not in tab.content()


# Activity and other tabs


def test_typing_counts_as_activity_and_is_rarely_reported(clocked_desk, clinic, pass_time):
    reports = []
    clocked_desk.on("request", lambda request: request.url.endswith("/accounts/stay/") and reports.append(request))
    clocked_desk.goto(BOOK)

    for _minute in range(16):
        pass_time(clocked_desk, seconds=MINUTE)
        clocked_desk.get_by_label("Reason").press_sequentially("x")

    expect(warning(clocked_desk)).to_be_hidden()
    clocked_desk.goto("/patients/")
    expect(clocked_desk.get_by_role("heading", name="Patients")).to_be_visible()
    assert 4 <= len(reports) <= 9


def test_warning_asks_first_whether_another_tab_is_in_use(clocked_desk, clinic, pass_time, with_clock):
    other = with_clock(clocked_desk.context.new_page())
    clocked_desk.goto("/patients/")
    other.goto("/patients/")
    pass_time(clocked_desk, other, seconds=10 * MINUTE)
    other.goto("/doctors/")

    with clocked_desk.expect_response(lambda response: LEFT in response.url):
        pass_time(clocked_desk, other, seconds=4 * MINUTE + 10)

    expect(warning(clocked_desk)).to_be_hidden()


def test_staying_in_one_tab_takes_the_warning_away_in_the_other(clocked_desk, clinic, pass_time, with_clock):
    other = with_clock(clocked_desk.context.new_page())
    clocked_desk.goto("/patients/")
    other.goto("/doctors/")
    pass_time(clocked_desk, other, seconds=14 * MINUTE + 10)
    expect(warning(clocked_desk)).to_be_visible()
    expect(warning(other)).to_be_visible()

    clocked_desk.get_by_role("button", name="Stay logged in").click()
    pass_time(clocked_desk, other, seconds=6)

    expect(warning(other)).to_be_hidden()


def test_polling_of_the_day_view_does_not_postpone_the_end(clocked_desk, clinic, receptionist, pass_time):
    clocked_desk.goto("/")
    for _minute in range(14):
        with clocked_desk.expect_response(lambda response: "x-background" in response.request.headers):
            pass_time(clocked_desk, seconds=MINUTE)
    with clocked_desk.expect_response(lambda response: "/schedule/" in response.url and response.status == 200):
        actions.mark_arrived(clinic.overdue, by=receptionist)  # so that the day is fetched again
        pass_time(clocked_desk, seconds=10)

    pass_time(clocked_desk, seconds=MINUTE)

    expect(clocked_desk.get_by_label("Username")).to_be_visible()


# After the end


def test_page_goes_to_the_login_and_shows_no_patient(clocked_desk, clinic, pass_time):
    clocked_desk.goto("/schedule/2026-11-24/?layout=list")
    expect(clocked_desk.get_by_text("Maria Santos").first).to_be_visible()

    leave_alone(clocked_desk, pass_time)

    expect(clocked_desk.get_by_label("Username")).to_be_visible()
    expect(clocked_desk.get_by_text("Your session has ended")).to_be_visible()
    assert "Santos" not in clocked_desk.content()
    log_in(clocked_desk)
    expect(clocked_desk).to_have_url(re.compile(r"/schedule/2026-11-24/\?layout=list$"))


def test_logging_out_in_one_tab_leaves_no_patient_in_another(desk, clinic):
    other = desk.context.new_page()
    other.goto(f"/patients/{clinic.patients.santos.pk}/")
    expect(other.get_by_text("Maria Santos").first).to_be_visible()
    desk.goto("/doctors/")

    desk.locator(".menu summary").click()
    desk.locator(".menu").get_by_role("button", name="Log out").click()

    expect(other.get_by_label("Username")).to_be_visible()
    assert "Santos" not in other.content()


def come_back(page):
    """Switch back to a tab. Headless browsers show all tabs at once, so the event is dispatched here."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_tab_checks_the_session_when_it_is_shown_again(desk, clinic):
    desk.goto(f"/patients/{clinic.patients.santos.pk}/")
    expect(desk.get_by_text("Maria Santos").first).to_be_visible()
    Session.objects.all().delete()

    come_back(desk)

    expect(desk.get_by_label("Username")).to_be_visible()
    assert "Santos" not in desk.content()


def test_tab_shows_the_next_user_no_data_of_the_last(desk, clinic, second_desk):
    type_why(desk, clinic)
    desk.context.add_cookies(second_desk.context.cookies())

    come_back(desk)

    expect(desk.locator(".menu summary")).to_have_text("second")
    desk.wait_for_load_state()  # its scripts have run by then
    expect(desk.get_by_label("Reason for the move (optional)")).to_have_value("")


def test_coming_back_to_a_tab_does_not_postpone_the_end(clocked_desk, clinic, pass_time):
    clocked_desk.goto("/patients/")
    for _minute in range(13):
        pass_time(clocked_desk, seconds=MINUTE)
        with clocked_desk.expect_response(lambda response: LEFT in response.url):
            come_back(clocked_desk)
    pass_time(clocked_desk, seconds=MINUTE + 10)

    expect(warning(clocked_desk)).to_be_visible()


def test_tab_shown_briefly_several_times_checks_once(desk, clinic):
    asked = []
    desk.on("request", lambda request: LEFT in request.url and asked.append(request))
    desk.goto("/patients/")

    with desk.expect_response(lambda response: LEFT in response.url):
        desk.evaluate("for (let i = 0; i < 9; i++) document.dispatchEvent(new Event('visibilitychange'))")

    assert len(asked) == 1


def test_day_refreshed_after_the_session_is_shown_after_login(clocked_desk, clinic, receptionist, now, pass_time):
    clocked_desk.goto("/schedule/2026-11-24/?layout=list")

    def let_it_end(route):
        now.shift(20 * MINUTE)
        route.continue_()

    clocked_desk.route(lambda url: "layout=list" in url, let_it_end, times=1)
    actions.mark_arrived(clinic.overdue, by=receptionist)
    pass_time(clocked_desk, seconds=10)

    log_in(clocked_desk)
    expect(clocked_desk).to_have_url(re.compile(r"/schedule/2026-11-24/\?layout=list$"))


def type_why(page, clinic):
    """Type the reason for a move, which the tab keeps while another time is picked."""
    page.goto(f"/appointments/{clinic.booked.pk}/move/")
    page.get_by_label("Reason for the move (optional)").fill("Has to work")
    assert "Has to work" in page.evaluate("Object.values(sessionStorage)")


def test_tab_forgets_the_reason_for_a_move_at_logout(desk, clinic):
    type_why(desk, clinic)

    desk.locator(".menu summary").click()
    desk.locator(".menu").get_by_role("button", name="Log out").click()

    expect(desk.get_by_label("Username")).to_be_visible()
    desk.wait_for_load_state()  # its scripts have run by then
    assert desk.evaluate("sessionStorage.length") == 0


def test_tab_forgets_the_reason_for_a_move_when_the_session_ends(clocked_desk, clinic, pass_time):
    type_why(clocked_desk, clinic)

    leave_alone(clocked_desk, pass_time)

    expect(clocked_desk).to_have_url(re.compile("/accounts/login/"))
    expect(clocked_desk.get_by_label("Username")).to_be_visible()
    clocked_desk.wait_for_load_state()  # its scripts have run by then
    assert clocked_desk.evaluate("sessionStorage.length") == 0


def test_half_filled_booking_form_is_restored_after_login(clocked_desk, clinic, pass_time):
    clocked_desk.goto(BOOK)
    type_a_booking(clocked_desk)

    leave_alone(clocked_desk, pass_time)
    log_in(clocked_desk)

    expect(clocked_desk.get_by_role("heading", name="Book an appointment")).to_be_visible()
    expect(clocked_desk.get_by_label("Reason")).to_have_value("Sore knee")
    expect(clocked_desk.get_by_text("Łucja Woźniak").first).to_be_visible()
    expect(clocked_desk.locator("#messages")).to_contain_text("has not been saved")


def test_half_filled_admin_form_is_restored_after_login(open_page, administrator, clinic, with_clock, pass_time):
    page = with_clock(open_page(administrator))
    page.goto(f"/admin/patients/patient/{clinic.patients.santos.pk}/change/")
    page.get_by_label("Last name").fill("Santos Silva")

    leave_alone(page, pass_time)
    log_in(page, administrator.username)

    expect(page.get_by_label("Last name")).to_have_value("Santos Silva")
    expect(page.get_by_text("has not been saved")).to_be_visible()


def test_half_filled_form_is_not_shown_to_another_user(clocked_desk, clinic, second_desk, pass_time):
    clocked_desk.goto("/patients/new/")
    clocked_desk.get_by_label("First name").fill("Secret")

    leave_alone(clocked_desk, pass_time)
    log_in(clocked_desk, "second")

    expect(clocked_desk.get_by_label("First name")).to_have_value("")
    assert SavedForm.objects.get().user.username == "reception"


def test_sleeping_computer_wakes_to_the_login_with_a_saved_form(clocked_desk, clinic, pass_time):
    clocked_desk.goto("/patients/new/")
    clocked_desk.get_by_label("First name").fill("Nuno")

    pass_time(clocked_desk, seconds=40 * MINUTE)
    log_in(clocked_desk)

    expect(clocked_desk.get_by_label("First name")).to_have_value("Nuno")


def test_form_sent_too_late_without_javascript_is_restored(plain_desk, clinic, now):
    plain_desk.goto("/patients/new/")
    plain_desk.get_by_label("First name").fill("Nuno")
    plain_desk.get_by_label("Last name").fill("Costa")
    plain_desk.get_by_label("E-mail").fill("nuno@example.org")
    now.shift(20 * MINUTE)

    plain_desk.get_by_role("button", name="Save").last.click()
    log_in(plain_desk)

    expect(plain_desk.get_by_label("First name")).to_have_value("Nuno")
    plain_desk.get_by_role("button", name="Save").last.click()
    expect(plain_desk.get_by_text("Nuno Costa is registered.")).to_be_visible()


def test_page_of_a_former_user_reloads_for_the_next(clocked_desk, clinic, managers_page, pass_time):
    clocked_desk.goto("/")
    clocked_desk.context.add_cookies(managers_page.context.cookies())

    pass_time(clocked_desk, seconds=14 * MINUTE + 10)

    expect(clocked_desk.locator(".menu summary")).to_have_text("manager")


def test_page_is_hidden_while_the_portal_does_not_answer(clocked_desk, clinic, pass_time, complaints):
    clocked_desk.goto("/patients/")
    clocked_desk.context.set_offline(True)

    pass_time(clocked_desk, seconds=15 * MINUTE + 1)

    expect(warning(clocked_desk)).to_contain_text("hidden")
    clocked_desk.context.set_offline(False)
    pass_time(clocked_desk, seconds=6)
    expect(clocked_desk.get_by_label("Username")).to_be_visible()
    complaints.clear()


# The list of one's own


def test_session_elsewhere_is_ended_from_the_list(desk, open_page, receptionist, clinic):
    other = open_page(receptionist)
    other.goto("/")
    desk.goto("/accounts/sessions/")
    expect(desk.get_by_text("this session")).to_be_visible()

    desk.get_by_role("button", name="End all other sessions").click()

    expect(desk.locator("#messages")).to_contain_text("1 other session ended.")
    other.goto("/patients/")
    expect(other.get_by_label("Username")).to_be_visible()
