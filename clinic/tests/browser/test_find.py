"""The search box of the top bar: its results, keys, and answers that arrive late."""

import time

import pytest
from playwright.sync_api import expect

from clinic.tests.browser.checks import assert_accessible
from patients.tests.factories import PatientFactory

SLOW_SECONDS = 0.5


@pytest.fixture
def box(desk):
    """The empty search box; five patients called Silva are registered, and one Zola."""
    PatientFactory.create_batch(5, first_name="Ana", last_name="Silva")
    PatientFactory(first_name="Rita", last_name="Zola")
    desk.goto("/doctors/")
    return desk.get_by_role("searchbox", name="Find patient")


@pytest.fixture
def found(desk):
    return desk.locator("#found")


def slow_down(desk):
    """Let every answer take longer than typing does."""

    def late(route):
        time.sleep(SLOW_SECONDS)
        route.continue_()

    desk.route("**/patients/", late)


def test_typing_shows_matches_and_an_empty_box_shows_none(box, found, desk):
    box.press_sequentially("sil")
    expect(found.get_by_role("listitem")).to_have_count(5)
    expect(desk.locator("#found-says")).to_have_text("5 patients found")
    assert_accessible(desk)

    box.fill("")

    expect(found).to_be_hidden()


def test_search_without_matches_offers_to_register(box, found, desk):
    box.fill("nobody")
    expect(found).to_contain_text("No patients match")
    box.press("ArrowDown")
    desk.keyboard.press("Enter")

    expect(desk.get_by_role("heading", name="Register a patient")).to_be_visible()
    expect(desk.get_by_label("Last name")).to_have_value("nobody")
    expect(desk.get_by_label("First name")).to_be_focused()


def test_arrows_move_through_the_rows_and_back_to_the_box(box, found, desk):
    box.fill("silva")
    rows = found.get_by_role("link", name="Ana Silva", exact=True)
    expect(rows).to_have_count(5)

    box.press("ArrowDown")
    desk.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    desk.keyboard.press("Tab")
    expect(found.get_by_role("link", name="Book for Ana Silva").nth(1)).to_be_focused()
    desk.keyboard.press("ArrowUp")
    expect(rows.nth(0)).to_be_focused()
    desk.keyboard.press("ArrowUp")
    expect(box).to_be_focused()


def test_enter_opens_the_only_match_even_before_the_answer(box, desk):
    slow_down(desk)
    box.press_sequentially("silva")
    desk.wait_for_timeout(200)  # the search for Silva is under way
    box.fill("zola")
    box.press("Enter")

    expect(desk.get_by_role("heading", name="Rita Zola")).to_be_visible()


def test_enter_shows_several_on_their_page(box, desk):
    box.fill("silva")
    box.press("Enter")

    expect(desk.get_by_role("heading", name="Patients")).to_be_visible()
    expect(desk.get_by_role("main").get_by_role("link", name="Ana Silva", exact=True)).to_have_count(5)


def test_escape_closes_the_list_and_the_arrow_opens_it_again(box, found, desk):
    box.fill("zola")
    expect(found).to_contain_text("Rita Zola")
    box.press("ArrowDown")

    desk.keyboard.press("Escape")

    expect(found).to_be_hidden()
    expect(box).to_be_focused()
    expect(box).to_have_value("zola")
    box.press("ArrowDown")
    expect(found).to_contain_text("Rita Zola")


def test_list_hides_when_the_box_loses_focus_and_returns_with_it(box, found, desk):
    box.fill("zola")
    expect(found).to_be_visible()

    desk.mouse.click(100, 800)
    expect(found).to_be_hidden()
    box.focus()
    expect(found).to_be_visible()
    desk.get_by_role("link", name="Patients", exact=True).focus()
    expect(found).to_be_hidden()


def test_late_answer_does_not_move_the_focus(box, found, desk):
    slow_down(desk)
    box.fill("zola")
    desk.wait_for_timeout(200)
    elsewhere = desk.get_by_role("link", name="Patients", exact=True)

    with desk.expect_response("**/patients/"):
        elsewhere.focus()

    expect(elsewhere).to_be_focused()
    expect(found).to_be_hidden()


def searches_of(desk):
    """Return the texts searched for from now on."""
    texts = []
    desk.on("request", lambda request: texts.append(request.post_data_json["query"]) if is_search(request) else None)
    return texts


def is_search(request):
    return request.method == "POST" and request.url.endswith("/patients/") and "hx-request" in request.headers


def test_short_text_is_not_searched_for_until_enter(box, found, desk):
    PatientFactory(first_name="Mei", last_name="Ng")
    texts = searches_of(desk)

    box.press_sequentially("Ng")
    expect(found).to_have_text("Type three characters, or press Enter to search.")
    expect(desk.locator("#found-says")).to_have_text("Type three characters, or press Enter to search.")
    assert_accessible(desk)
    assert texts == []
    box.press("Enter")

    expect(desk.get_by_role("heading", name="Mei Ng")).to_be_visible()
    assert texts == ["Ng"]


def test_enter_right_after_short_text_is_not_cancelled_by_the_hint(box, desk):
    PatientFactory(first_name="Mei", last_name="Ng")
    slow_down(desk)

    box.press_sequentially("Ng")
    box.press("Enter")

    expect(desk.get_by_role("heading", name="Mei Ng")).to_be_visible()


def test_deleting_letters_leaves_no_matches_of_the_longer_text(box, found, desk):
    late = []
    desk.route("**/patients/", lambda route: late.append(route))
    box.fill("zola")
    desk.wait_for_timeout(1000 * SLOW_SECONDS)
    box.fill("zo")
    expect(found).to_have_text("Type three characters, or press Enter to search.")

    late[0].continue_()
    desk.wait_for_timeout(2000 * SLOW_SECONDS)

    expect(found).to_have_text("Type three characters, or press Enter to search.")
    box.fill("")
    expect(found).to_be_hidden()


def test_one_character_is_enough_where_it_may_be_a_name(box, found):
    names = {"陈": "陈 伟", "김": "김 민준", "きし": "きし けん"}
    for name in names.values():
        PatientFactory(first_name=name.split()[1], last_name=name.split()[0])

    for text, name in names.items():
        box.fill(text[0])
        expect(found.get_by_role("listitem")).to_have_count(1)
        expect(found).to_contain_text(name.split()[0])
    box.fill("أح")
    expect(found).to_have_text("Type three characters, or press Enter to search.")


def test_booking_form_searches_from_three_characters_too(box, desk):
    desk.goto("/appointments/book/")
    query, matches = desk.get_by_label("Patient's name, phone or e-mail"), desk.locator("#patient-matches")

    query.fill("zo")
    expect(matches).to_have_text("Type three characters, or press Enter to search.")
    query.fill("zol")

    expect(matches.get_by_role("button", name="Rita Zola")).to_be_visible()
    query.fill("zo")
    query.press("Enter")
    expect(desk.get_by_role("button", name="Change")).to_be_visible()
