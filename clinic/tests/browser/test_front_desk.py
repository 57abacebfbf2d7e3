"""The front desk's work end to end: with the mouse, the keyboard, a phone, and without JavaScript."""

import re

import pytest
from django.db import OperationalError
from playwright.sync_api import expect

from appointments.booking import actions
from appointments.models import Appointment
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.tests.browser.checks import assert_accessible, assert_no_sideways_scroll
from clinic.tests.browser.scene import THURSDAY, TODAY, TOMORROW, at
from patients.models import Patient

QUERY = "Patient's name, phone or e-mail"
POLL_MS = 12_000  # an open day asks for changes at least this often


def block(page, appointment):
    return page.locator(f"#v{appointment.pk}")


def row_of(page, appointment):
    return block(page, appointment).locator(".open")


def act(page, appointment, name):
    block(page, appointment).hover()
    block(page, appointment).get_by_role("button", name=name).click()


def assert_says(page, text):
    expect(page.locator("#messages")).to_contain_text(text)


def assert_status(page, appointment, status):
    expect(block(page, appointment)).to_have_class(re.compile(f"status-{status}"))
    assert_status_of(appointment, status)


def assert_status_of(appointment, status):
    appointment.refresh_from_db()
    assert appointment.status == status


def book_button(page):
    return page.get_by_role("main").get_by_role("button", name="Book", exact=True)


def book_address(doctor, patient, time="10:30", date="2026-11-24"):
    return f"/appointments/book/?doctor={doctor.pk}&date={date}&time={time}&patient={patient.pk}"


# Booking


def test_known_patient_is_booked_at_one_of_the_next_free_times(desk, clinic):
    desk.goto("/appointments/book/")
    desk.get_by_label(QUERY).press_sequentially("san mar")
    desk.get_by_role("main").get_by_role("button", name="Maria Santos").click()
    expect(desk.get_by_text("Next appointment: Tue 24 Nov 2026, 10:30")).to_be_visible()
    panel = desk.get_by_role("complementary", name="Free times")
    panel.get_by_label("With").select_option(label="Cardiology")
    expect(panel.get_by_role("group", name="Dr Ingrid Lindqvist").first).to_be_visible()
    expect(panel.get_by_role("group", name="Dr James Okafor")).to_have_count(0)
    panel.get_by_label("Time of day").select_option("afternoon")
    times = panel.get_by_role("group", name="Dr Ingrid Lindqvist, Wed 25 Nov 2026")
    times.get_by_role("button", name="14:00", exact=True).click()
    expect(book_button(desk)).to_be_focused()
    desk.get_by_label("Reason").fill("Palpitations")

    book_button(desk).click()

    assert_says(desk, "Booked: Maria Santos, Wed 25 Nov 2026 14:00, Dr Ingrid Lindqvist")
    booked = Appointment.objects.get(reason="Palpitations")
    assert (booked.doctor, booked.start_time) == (clinic.doctors.lindqvist, at("14:00", TOMORROW))
    expect(block(desk, booked)).to_be_in_viewport()


def test_filters_of_the_day_view_survive_a_booking(desk, clinic):
    desk.goto(f"/schedule/2026-11-24/?doctor={clinic.doctors.okafor.pk}")
    desk.get_by_role("link", name="Book 13:00, Dr James Okafor").click()
    desk.get_by_label(QUERY).fill("brown")
    desk.get_by_label(QUERY).press("Enter")
    book_button(desk).click()

    assert_says(desk, "Booked: Olive Brown")
    expect(desk).to_have_url(re.compile(rf"/schedule/2026-11-24/\?doctor={clinic.doctors.okafor.pk}#v\d+$"))
    expect(desk.get_by_role("region", name="Dr Ana Ferreira")).to_have_count(0)


def test_possible_duplicate_is_shown_and_can_be_registered_anyway(desk, clinic):
    desk.goto(f"/appointments/book/?doctor={clinic.doctors.okafor.pk}&date=2026-11-25&time=11:00")
    desk.get_by_label(QUERY).fill("Santos, Maria")
    desk.get_by_role("button", name="New patient").click()
    main = desk.get_by_role("main")
    expect(main.get_by_label("First name")).to_have_value("Maria")
    expect(main.get_by_label("Last name")).to_have_value("Santos")
    main.get_by_label("Date of birth").fill("1984-03-09")
    main.get_by_role("textbox", name="E-mail").fill("another.maria@example.org")
    book_button(desk).click()

    expect(desk.get_by_role("region", name="Registered already")).to_contain_text("+351 912 345 001")
    expect(desk.get_by_text("Is it the same person?").locator("visible=true")).to_have_count(1)
    assert_accessible(desk)
    assert not Patient.objects.filter(email="another.maria@example.org").exists()
    desk.get_by_role("button", name="Register anyway and book").click()

    assert_says(desk, "Booked: Maria Santos, Wed 25 Nov 2026 11:00")
    assert Appointment.objects.get(patient__email="another.maria@example.org").start_time == at("11:00", TOMORROW)


def test_refusal_names_the_conflict_and_offers_another_doctor(desk, clinic):
    desk.goto(book_address(clinic.doctors.ferreira, clinic.patients.wozniak))
    book_button(desk).click()

    expect(desk.get_by_text("Dr Ana Ferreira is booked 10:30–11:00 on Tue 24 Nov 2026.")).to_be_visible()
    near = desk.get_by_role("group", name="Free times near it")
    expect(near.get_by_role("button")).to_have_count(6)
    assert_accessible(desk)
    near.get_by_role("button", name="Dr James Okafor").first.click()

    assert_says(desk, "Booked: Łucja Woźniak")
    booked = Appointment.objects.on_day(TODAY).get(patient=clinic.patients.wozniak, status="booked")
    assert booked.doctor == clinic.doctors.okafor


def test_two_people_want_the_same_time(desk, second_desk, clinic):
    okafor, patients = clinic.doctors.okafor, clinic.patients
    desk.goto(book_address(okafor, patients.brown, time="13:00"))
    second_desk.goto(book_address(okafor, patients.wozniak, time="13:00"))

    book_button(desk).click()
    assert_says(desk, "Booked: Olive Brown")
    book_button(second_desk).click()

    expect(second_desk.get_by_text("Dr James Okafor is booked 13:00–13:30")).to_be_visible()
    second_desk.get_by_role("group", name="Free times near it").get_by_role("button").first.click()
    assert_says(second_desk, "Booked: Łucja Woźniak")
    assert Appointment.objects.filter(doctor=okafor, start_time=at("13:00")).count() == 1


def test_double_click_on_book_is_one_appointment(desk, clinic):
    desk.goto(book_address(clinic.doctors.okafor, clinic.patients.brown, time="13:00"))

    book_button(desk).dblclick()

    assert_says(desk, "Booked: Olive Brown")
    assert Appointment.objects.filter(doctor=clinic.doctors.okafor, start_time=at("13:00")).count() == 1


def test_back_to_a_sent_form_does_not_book_twice(desk, clinic):
    desk.goto(book_address(clinic.doctors.okafor, clinic.patients.brown, time="13:00"))
    book_button(desk).click()
    assert_says(desk, "Booked: Olive Brown")

    desk.go_back()
    book_button(desk).click()

    expect(desk.get_by_role("main")).to_contain_text("Olive Brown")
    assert Appointment.objects.filter(patient=clinic.patients.brown, start_time=at("13:00")).count() == 1


def test_back_from_the_day_after_all_steps_of_booking_is_the_form(desk, clinic):
    desk.goto("/")
    desk.get_by_role("link", name="Book 13:00, Dr James Okafor").click()
    desk.get_by_label(QUERY).fill("brown")
    desk.get_by_role("main").get_by_role("button", name="Olive Brown").click()
    book_button(desk).click()
    assert_says(desk, "Booked: Olive Brown")

    desk.go_back()

    expect(desk.get_by_role("heading", name="Book an appointment")).to_be_visible()
    desk.go_back()
    expect(desk.get_by_role("heading", name="Tuesday 24 November 2026")).to_be_visible()


def test_message_is_in_view_and_the_new_appointment_has_the_focus(desk, clinic):
    desk.goto(book_address(clinic.doctors.okafor, clinic.patients.brown, time="17:30"))
    book_button(desk).click()
    assert_says(desk, "Booked: Olive Brown")

    desk.wait_for_load_state()
    booked = Appointment.objects.get(start_time=at("17:30"))
    expect(row_of(desk, booked)).to_be_focused()
    expect(block(desk, booked)).to_be_in_viewport(ratio=0.9)
    expect(desk.locator("#messages p")).to_be_in_viewport()
    assert desk.evaluate("scrollY") == 0


def test_focus_is_on_the_refused_field(desk, clinic):
    desk.goto(book_address(clinic.doctors.ferreira, clinic.patients.wozniak))
    book_button(desk).click()

    expect(desk.get_by_label("Time", exact=False).first).to_be_focused()


def test_focus_for_a_new_patient_is_on_the_first_empty_field(desk, clinic):
    desk.goto("/appointments/book/")
    desk.get_by_label(QUERY).fill("Nadia Costa")
    desk.get_by_role("button", name="New patient").click()

    expect(desk.get_by_label("Date of birth")).to_be_focused()


def test_text_typed_during_a_request_survives_with_the_focus(desk, clinic, answers_to):
    desk.goto(book_address(clinic.doctors.okafor, clinic.patients.brown, time=""))
    posts = answers_to(lambda request: request.method == "POST")
    today = desk.get_by_role("group", name="Dr James Okafor, Tue 24 Nov 2026")
    today.get_by_role("button", name="13:00", exact=True).click()
    desk.get_by_label("Reason").click()
    desk.keyboard.type("Blood ")
    posts.set()
    expect(desk.get_by_label("Time", exact=False).first).to_have_value(re.compile("^13:00"))
    desk.keyboard.type("test before")

    expect(desk.get_by_label("Reason")).to_have_value("Blood test before")
    book_button(desk).click()
    assert_says(desk, "Booked: Olive Brown")


def test_letters_pressed_during_a_request_do_nothing(desk, clinic, answers_to):
    desk.goto("/appointments/book/")
    desk.get_by_label(QUERY).fill("Nadia Costa")
    posts = answers_to(lambda request: request.method == "POST")
    desk.get_by_role("button", name="New patient").click()
    desk.keyboard.type("tbf")
    posts.set()

    expect(desk.get_by_label("Date of birth")).to_be_focused()
    expect(desk.get_by_label("Last name")).to_have_value("Costa")


def test_stray_letter_does_not_leave_a_form(desk, clinic):
    desk.goto(book_address(clinic.doctors.okafor, clinic.patients.brown, time="13:00"))
    desk.get_by_label("Reason").fill("Half a sente")
    book_button(desk).focus()

    desk.keyboard.type("tbf")

    expect(desk.get_by_label("Reason")).to_have_value("Half a sente")
    expect(book_button(desk)).to_be_focused()


def test_usual_length_is_one_click_at_every_step(desk, clinic):
    desk.goto(f"/appointments/book/?doctor={clinic.doctors.okafor.pk}")
    today = desk.get_by_role("group", name="Dr James Okafor, Tue 24 Nov 2026")
    expect(today.get_by_role("button").first).to_be_visible()
    expect(today.get_by_role("button", name="10:05")).to_have_count(0)
    desk.get_by_label(QUERY).fill("brown")
    desk.get_by_role("main").get_by_role("button", name="Olive Brown").click()
    expect(desk.get_by_text("Next appointment:")).to_be_visible()

    desk.get_by_role("button", name="15", exact=True).click()

    expect(desk.get_by_label("Length in minutes")).to_have_value("15")
    expect(today.get_by_role("button", name="10:05")).to_be_visible()


def test_unanswered_form_keeps_its_text_and_can_be_sent_again(desk, clinic, complaints):
    desk.goto(book_address(clinic.doctors.okafor, clinic.patients.brown, time="13:00"))
    desk.get_by_label("Reason").fill("Sore knee")
    desk.context.set_offline(True)
    book_button(desk).click()
    assert_says(desk, "The portal did not respond.")
    expect(desk.locator("#messages p")).to_be_in_viewport()
    assert_accessible(desk)
    desk.context.set_offline(False)
    complaints.clear()

    book_button(desk).click()

    assert_says(desk, "Booked: Olive Brown")
    assert Appointment.objects.get(patient=clinic.patients.brown, start_time=at("13:00")).reason == "Sore knee"


def test_busy_portal_shows_an_error(desk, clinic, complaints, before_answering):
    desk.goto(book_address(clinic.doctors.okafor, clinic.patients.brown, time="13:00"))

    def refuse(request):
        raise OperationalError(1205, "Lock wait timeout exceeded")

    before_answering(refuse)
    book_button(desk).click()

    assert_says(desk, "The portal did not respond.")
    complaints.clear()


def test_times_that_no_longer_fit_cannot_be_taken(desk, clinic, answers_to):
    desk.goto(f"/appointments/book/?doctor={clinic.doctors.okafor.pk}")
    posts = answers_to(lambda request: request.method == "POST")
    slots = desk.get_by_role("complementary", name="Free times").get_by_role("group").get_by_role("button")
    desk.get_by_label("Doctor").first.select_option(label="Dr Ingrid Lindqvist · Cardiology")

    expect(slots.first).to_be_disabled()
    posts.set()

    lists = desk.get_by_role("complementary", name="Free times").get_by_role("group")
    expect(lists.first).to_have_accessible_name(re.compile("^Dr Ingrid Lindqvist, "))
    expect(slots.first).to_be_enabled()


def test_walk_in_button_follows_the_doctor_chosen(desk, clinic):
    desk.goto(f"/appointments/book/?patient={clinic.patients.wozniak.pk}")
    walk_in = desk.get_by_role("region", name="Walk-in")
    expect(walk_in.get_by_role("button")).not_to_have_count(1)

    desk.get_by_label("Doctor").first.select_option(label="Dr Ingrid Lindqvist · Cardiology")

    expect(walk_in.get_by_role("button", name=re.compile("Walk-in now: Dr Ingrid Lindqvist \\d"))).to_be_visible()
    expect(walk_in.get_by_role("button")).to_have_count(1)


def test_undo_by_key_cancels_a_walk_in(desk, clinic):
    desk.goto(f"/appointments/book/?patient={clinic.patients.wozniak.pk}")
    desk.get_by_role("button", name="Walk-in now").first.click()
    assert_says(desk, "Walk-in: Łucja Woźniak")

    desk.wait_for_load_state()  # keys work once their script is there
    desk.keyboard.press("u")

    assert_says(desk, "Łucja Woźniak: cancelled.")


def test_walk_in_is_one_button(desk, clinic):
    desk.goto(f"/appointments/book/?patient={clinic.patients.wozniak.pk}")
    desk.get_by_label("Doctor").first.select_option(label="Dr Ingrid Lindqvist · Cardiology")

    desk.get_by_role("button", name=re.compile("Walk-in now: Dr Ingrid Lindqvist \\d")).click()

    assert_says(desk, "Walk-in: Łucja Woźniak")
    walk_in = Appointment.objects.get(patient=clinic.patients.wozniak, doctor=clinic.doctors.lindqvist)
    assert_status(desk, walk_in, Status.ARRIVED)


# The day as a work list


def test_appointment_runs_from_arrival_to_end_with_one_undo(admins_page, clinic):
    page, appointment = admins_page, clinic.booked
    page.goto("/")
    for button, status in (("Arrived", "arrived"), ("Start", "in_consultation"), ("Done", "completed")):
        act(page, appointment, button)
        assert_status(page, appointment, status)

    page.locator("#messages").get_by_role("button", name="Undo").click()

    assert_status(page, appointment, "in_consultation")


def test_no_show_and_its_undo(desk, clinic):
    desk.goto("/")
    act(desk, clinic.overdue, "No-show")
    assert_status(desk, clinic.overdue, "no_show")

    desk.locator("#messages").get_by_role("button", name="Undo").click()

    assert_status(desk, clinic.overdue, "booked")


def test_waiting_minutes_are_shown(desk, clinic):
    desk.goto("/")

    # Came at 9:48 for ten o'clock, which it is now.
    expect(block(desk, clinic.arrived)).to_contain_text(re.compile(r"waiting [01] min"))


def test_list_has_tabs_and_an_appointment_leaves_its_tab_with_one_click(desk, clinic):
    desk.goto("/schedule/?layout=list&tab=remaining")
    tabs = desk.get_by_role("navigation", name="Appointments")
    for tab, count in (("Remaining", 4), ("Arrived", 1), ("In consultation", 1), ("Done", 3), ("All", 9)):
        expect(tabs.get_by_role("link", name=f"{tab} {count}")).to_be_visible()

    block(desk, clinic.booked).get_by_role("button", name="Arrived").click()

    expect(tabs.get_by_role("link", name="Arrived 2")).to_be_visible()
    expect(block(desk, clinic.booked)).to_have_count(0)
    expect(tabs.get_by_role("link", name="Remaining 3")).to_have_attribute("aria-current", "true")


def test_fast_key_presses_are_all_carried_out(desk, clinic):
    desk.goto("/schedule/?layout=list&tab=remaining")
    appointments = [clinic.booked, clinic.due, clinic.later]

    desk.evaluate(
        """ids => {
          for (const id of ids) {
            const link = document.querySelector(`#v${id} .open`);
            link.focus();
            link.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true, cancelable: true }));
          }
        }""",
        [appointment.pk for appointment in appointments],
    )

    expect(desk.get_by_role("navigation", name="Appointments").get_by_role("link", name="Arrived 4")).to_be_visible()
    for appointment in appointments:
        assert_status_of(appointment, "arrived")


def test_refusal_stays_after_later_answers(desk, clinic, receptionist, answers_to):
    desk.goto("/schedule/?layout=list&tab=remaining")
    actions.cancel(clinic.booked, reason="Ill", cancelled_by="patient", by=receptionist)
    posts = answers_to(lambda request: request.method == "POST")

    for appointment in (clinic.booked, clinic.due):
        row_of(desk, appointment).focus()
        desk.keyboard.press("a")
    posts.set()

    assert_says(desk, "Zoë Müller: arrived.")
    assert_says(desk, "Maria Santos: Somebody else has changed this appointment.")


def test_leaving_with_unsent_changes_asks_first(desk, clinic, answers_to):
    asked = []
    desk.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    desk.goto("/schedule/?layout=list&tab=remaining")
    posts = answers_to(lambda request: request.method == "POST")
    appointments = [clinic.booked, clinic.due]
    for appointment in appointments:
        row_of(desk, appointment).focus()
        desk.keyboard.press("a")

    desk.get_by_role("link", name="Patients").click(no_wait_after=True)
    posts.set()

    expect(desk.get_by_role("navigation", name="Appointments").get_by_role("link", name="Arrived 3")).to_be_visible()
    assert asked == ["beforeunload"]
    for appointment in appointments:
        assert_status_of(appointment, "arrived")
    desk.get_by_role("link", name="Patients").click()
    expect(desk.get_by_role("heading", name="Patients")).to_be_visible()


def test_undo_by_key_applies_to_the_appointment_that_left_the_tab(admins_page, clinic, receptionist):
    page = admins_page
    actions.mark_arrived(clinic.booked, by=receptionist)
    page.goto("/schedule/?layout=list&tab=arrived")
    row_of(page, clinic.arrived).focus()
    page.keyboard.press("s")
    expect(block(page, clinic.arrived)).to_have_count(0)
    expect(row_of(page, clinic.booked)).to_be_focused()

    page.keyboard.press("u")

    expect(row_of(page, clinic.arrived)).to_be_visible()
    assert_status_of(clinic.arrived, "arrived")
    assert_status_of(clinic.booked, "arrived")


def test_undo_by_key_applies_to_the_focused_appointment(admins_page, clinic, receptionist):
    page = admins_page
    actions.mark_arrived(clinic.booked, by=receptionist)
    page.goto("/schedule/?layout=list&tab=arrived")
    row_of(page, clinic.arrived).focus()
    page.keyboard.press("s")
    expect(row_of(page, clinic.booked)).to_be_focused()
    page.get_by_label("Find patient").focus()
    row_of(page, clinic.booked).focus()

    page.keyboard.press("u")

    assert_says(page, "Maria Santos: booked.")
    assert_status_of(clinic.arrived, "in_consultation")


def test_double_click_does_not_mark_the_next_patient(desk, clinic):
    desk.goto("/schedule/?layout=list&tab=remaining")
    block(desk, clinic.overdue).get_by_role("button", name="Arrived").click()
    expect(block(desk, clinic.overdue)).to_have_count(0)  # from here on a message stands above the list
    button = block(desk, clinic.booked).get_by_role("button", name="Arrived").bounding_box()
    middle = button["x"] + button["width"] / 2, button["y"] + button["height"] / 2

    desk.mouse.click(*middle)
    expect(block(desk, clinic.booked)).to_have_count(0)
    desk.mouse.down(click_count=2)
    desk.mouse.up(click_count=2)

    desk.wait_for_timeout(500)
    assert_status_of(clinic.booked, "arrived")
    assert [Appointment.objects.get(pk=each.pk).status for each in (clinic.due, clinic.later)] == ["booked", "booked"]


def test_focus_stays_on_a_button_when_another_user_changes_the_day(desk, clinic, receptionist):
    desk.goto("/schedule/?layout=list&tab=remaining")
    button = block(desk, clinic.booked).get_by_role("button", name="Arrived")
    button.focus()

    actions.mark_arrived(clinic.overdue, by=receptionist)
    desk.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(block(desk, clinic.overdue)).to_have_count(0)
    expect(button).to_be_focused()


def test_specialization_chosen_after_a_doctor_shows_all_its_doctors(desk, clinic):
    desk.goto(f"/schedule/?doctor={clinic.doctors.okafor.pk}")

    desk.locator(".tools summary").first.click()
    desk.get_by_role("button", name="Cardiology").click()

    expect(desk.get_by_role("region", name="Dr Ingrid Lindqvist")).to_be_visible()
    expect(desk.get_by_role("region", name="Dr James Okafor")).to_have_count(0)


def test_double_click_on_undo_reverts_one_step(doctors_page, clinic):
    doctors_page.goto("/")
    block(doctors_page, clinic.in_consultation).get_by_role("button", name="Done").click()
    assert_status(doctors_page, clinic.in_consultation, "completed")

    doctors_page.locator("#messages").get_by_role("button", name="Undo").dblclick()

    assert_status(doctors_page, clinic.in_consultation, "in_consultation")
    doctors_page.wait_for_timeout(500)
    assert_status(doctors_page, clinic.in_consultation, "in_consultation")


def test_change_that_does_not_reach_the_portal_shows_an_error(desk, clinic, complaints):
    desk.goto("/")
    desk.context.set_offline(True)
    act(desk, clinic.booked, "Arrived")
    assert_says(desk, "The portal did not respond")
    desk.context.set_offline(False)
    complaints.clear()

    act(desk, clinic.booked, "Arrived")

    assert_status(desk, clinic.booked, "arrived")


def test_outdated_change_is_refused_and_the_change_shown(desk, second_desk, clinic):
    for page in (desk, second_desk):
        page.goto("/")
    row_of(desk, clinic.overdue).press("a")
    assert_status(desk, clinic.overdue, "arrived")

    act(second_desk, clinic.overdue, "No-show")

    assert_says(second_desk, "Somebody else has changed this appointment.")
    assert_status(second_desk, clinic.overdue, "arrived")


# Moving and cancelling


def test_move_in_the_grid_records_times_user_and_reason(desk, clinic, receptionist):
    desk.goto("/")
    row_of(desk, clinic.booked).click()
    desk.get_by_role("link", name="Move").click()
    desk.get_by_label("Reason for the move").fill("Train is late")
    desk.get_by_role("link", name="Next day", exact=True).click()
    expect(desk.get_by_role("heading", name="Wednesday 25 November 2026")).to_be_visible()
    expect(desk.get_by_label("Reason for the move")).to_have_value("Train is late")
    assert_accessible(desk)
    desk.get_by_role("button", name="Move to 09:30, Dr Ana Ferreira").click()

    assert_says(desk, "Moved: Maria Santos, Wed 25 Nov 2026 09:30")
    expect(desk.get_by_role("heading", name="Wednesday 25 November 2026")).to_be_visible()
    text = "Moved from Tue 24 Nov 2026 10:30 to Wed 25 Nov 2026 09:30"
    row_of(desk, clinic.booked).click()
    for page in (f"/appointments/{clinic.booked.pk}/", f"/patients/{clinic.patients.santos.pk}/"):
        desk.goto(page)
        expect(desk.get_by_text(text).first).to_be_visible()
        expect(desk.get_by_text("Why: Train is late").first).to_be_visible()
        expect(desk.get_by_text(receptionist.display_name).first).to_be_visible()


def test_enter_in_the_reason_of_a_move_moves_nothing(desk, clinic):
    desk.goto(f"/?move={clinic.booked.pk}")
    desk.get_by_label("Reason for the move").fill("Train is late")

    desk.get_by_label("Reason for the move").press("Enter")

    desk.wait_for_timeout(500)
    expect(desk.get_by_text("Moving Maria Santos")).to_be_visible()
    clinic.booked.refresh_from_db()
    assert clinic.booked.start_time == at("10:30")


def test_reason_typed_before_the_scripts_load_is_kept(desk, clinic):
    pending = []
    desk.route("**/js/forms*.js", lambda route: pending.append(route))  # noqa: PLW0108 -- Playwright wants a function
    desk.goto(f"/?move={clinic.booked.pk}", wait_until="commit")
    desk.get_by_label("Reason for the move").fill("Train is late")
    pending[0].continue_()
    desk.unroute("**/js/forms*.js")
    desk.wait_for_load_state()

    desk.get_by_role("link", name="Next day", exact=True).click()

    expect(desk.get_by_role("heading", name="Wednesday 25 November 2026")).to_be_visible()
    expect(desk.get_by_label("Reason for the move")).to_have_value("Train is late")


def test_reason_for_a_move_is_kept_for_that_appointment_only(desk, clinic):
    desk.goto(f"/?move={clinic.booked.pk}")
    desk.get_by_label("Reason for the move").fill("Train is late")
    desk.get_by_role("link", name="Enter a time").click()
    expect(desk.get_by_label("Reason for the move (optional)")).to_have_value("Train is late")

    desk.goto(f"/?move={clinic.due.pk}")

    expect(desk.get_by_label("Reason for the move")).to_have_value("")
    desk.goto(f"/?move={clinic.booked.pk}")
    expect(desk.get_by_label("Reason for the move")).to_have_value("")


def test_move_by_typing_a_time_that_is_taken_offers_others(desk, clinic):
    desk.goto(f"/appointments/{clinic.booked.pk}/move/")
    desk.get_by_label("Time", exact=False).first.fill("11:00")
    desk.get_by_role("main").get_by_role("button", name="Move", exact=True).click()
    expect(desk.get_by_text("Dr Ana Ferreira is booked 11:00–11:30")).to_be_visible()

    desk.get_by_role("group", name="Free times near it").get_by_role("button").first.click()

    assert_says(desk, "Moved: Maria Santos")


def test_appointment_is_dragged_to_another_time(desk, clinic):
    desk.goto("/")

    row_of(desk, clinic.booked).drag_to(desk.get_by_role("link", name="Book 11:30, Dr Ingrid Lindqvist"))

    assert_says(desk, "Moved: Maria Santos, Tue 24 Nov 2026 11:30, Dr Ingrid Lindqvist")
    clinic.booked.refresh_from_db()
    assert clinic.booked.doctor == clinic.doctors.lindqvist

    desk.locator("#messages").get_by_role("button", name="Undo").click()

    assert_says(desk, "Moved: Maria Santos, Tue 24 Nov 2026 10:30, Dr Ana Ferreira")
    clinic.booked.refresh_from_db()
    assert (clinic.booked.doctor, clinic.booked.start_time) == (clinic.doctors.ferreira, at("10:30"))


def test_move_is_undone_by_key_unless_the_time_is_taken(desk, clinic, receptionist):
    desk.goto(f"/?move={clinic.booked.pk}")
    desk.get_by_role("button", name="Move to 14:00, Dr Ingrid Lindqvist").click()
    assert_says(desk, "Moved: Maria Santos")
    AppointmentFactory(doctor=clinic.doctors.ferreira, start_time=at("10:30"))
    desk.wait_for_load_state()

    desk.keyboard.press("u")

    expect(desk.get_by_text("Dr Ana Ferreira is booked 10:30–11:00")).to_be_visible()
    expect(desk.get_by_role("group", name="Free times near it").get_by_role("button").first).to_be_visible()


def test_escape_cancels_the_move(desk, clinic):
    desk.goto(f"/?move={clinic.booked.pk}")
    expect(desk.get_by_text("Moving Maria Santos")).to_be_visible()

    desk.keyboard.press("Escape")

    expect(desk.get_by_text("Moving Maria Santos")).to_have_count(0)
    expect(desk.get_by_role("link", name="Book 14:00, Dr Ingrid Lindqvist")).to_be_visible()


def test_escape_cancels_the_cancellation(desk, clinic):
    desk.goto("/")
    row_of(desk, clinic.later).focus()
    desk.keyboard.press("c")
    expect(desk.get_by_role("button", name="Cannot come")).to_be_focused()
    desk.wait_for_load_state()

    desk.keyboard.press("Escape")

    expect(desk).to_have_url(re.compile(rf"\?open={clinic.later.pk}$"))
    assert_status_of(clinic.later, "booked")


def test_cancel_with_a_typed_reason_and_undo(desk, clinic):
    desk.goto(f"/appointments/{clinic.later.pk}/cancel/")
    desk.get_by_role("radio", name="The clinic").check()
    desk.get_by_role("textbox", name="Reason").fill("Flooded cellar")
    desk.get_by_role("button", name="Cancel the appointment").last.click()
    assert_says(desk, "Olive Brown: cancelled.")

    desk.locator("#messages").get_by_role("button", name="Undo").click()

    assert_says(desk, "Olive Brown: booked.")
    assert_status(desk, clinic.later, "booked")


# Live


def test_open_day_shows_changes_of_others_and_keeps_its_place(desk, clinic, receptionist):
    desk.clock.install()
    desk.goto("/")
    row_of(desk, clinic.later).focus()
    desk.locator("#day-grid").evaluate("grid => { grid.scrollTop = 40; }")
    desk.get_by_label("Find patient").fill("half typed")
    row_of(desk, clinic.later).focus()

    actions.mark_arrived(clinic.booked, by=receptionist)
    desk.clock.fast_forward(POLL_MS)

    assert_status(desk, clinic.booked, "arrived")
    expect(row_of(desk, clinic.later)).to_be_focused()
    assert desk.locator("#day-grid").evaluate("grid => grid.scrollTop") == 40
    expect(desk.get_by_label("Find patient")).to_have_value("half typed")


def test_open_day_shows_when_the_portal_is_not_responding(desk, clinic, complaints):
    desk.clock.install()
    desk.goto("/")
    desk.context.set_offline(True)
    for _time in range(2):
        expect(desk.get_by_text("The portal is not responding.")).to_be_hidden()
        with desk.expect_event("requestfailed"):
            desk.clock.fast_forward(POLL_MS)
    expect(desk.get_by_text("The portal is not responding.")).to_be_visible()

    desk.context.set_offline(False)
    desk.clock.fast_forward(POLL_MS)

    expect(desk.get_by_text("The portal is not responding.")).to_be_hidden()
    complaints.clear()


def test_button_pressed_during_a_refresh_takes_effect(desk, clinic, receptionist, answers_to):
    desk.goto("/")
    actions.mark_arrived(clinic.overdue, by=receptionist)
    posts = answers_to(lambda request: request.method == "POST")
    day = answers_to(lambda request: "X-Background" in request.headers)
    with desk.expect_request(lambda request: "x-background" in request.headers):
        desk.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # asks at once
    desk.evaluate("() => { window.fetch = () => new Promise(() => {}); }")  # and never again

    act(desk, clinic.booked, "Arrived")
    day.set()
    assert_status(desk, clinic.overdue, "arrived")
    posts.set()

    assert_status(desk, clinic.booked, "arrived")


def test_open_day_goes_to_the_login_after_a_logout(desk, clinic):
    desk.goto("/")
    desk.context.clear_cookies()

    desk.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(desk.get_by_label("Username")).to_be_visible()
    assert "Santos" not in desk.content()


def test_moving_ends_when_somebody_else_cancels_the_appointment(desk, clinic, receptionist):
    desk.clock.install()
    desk.goto(f"/?move={clinic.booked.pk}")
    expect(desk.get_by_role("button", name="Move to 14:00, Dr Ingrid Lindqvist")).to_be_visible()

    actions.cancel(clinic.booked, reason="Ill", cancelled_by="patient", by=receptionist)
    desk.clock.fast_forward(POLL_MS)

    assert_says(desk, "That appointment can no longer be moved.")
    expect(desk.get_by_role("link", name="Book 14:00, Dr Ingrid Lindqvist")).to_be_visible()


def test_polling_the_day_renders_nothing(desk, clinic):
    answers = []
    desk.clock.install()
    desk.goto("/")
    desk.on("response", lambda response: answers.append((response.url, response.status)))

    with desk.expect_response(lambda response: "x-background" in response.request.headers):
        desk.clock.fast_forward(POLL_MS)

    pages = [(url.partition("/schedule/")[2], status) for url, status in answers if "/schedule/" in url]
    assert pages == [("2026-11-24/", 304)]


# By keyboard alone


def test_arrows_move_through_the_grid(desk, clinic):
    desk.goto("/")
    row_of(desk, clinic.booked).focus()

    desk.keyboard.press("ArrowDown")
    expect(row_of(desk, clinic.later)).to_be_focused()
    desk.keyboard.press("ArrowUp")
    desk.keyboard.press("ArrowUp")
    expect(row_of(desk, clinic.arrived)).to_be_focused()
    desk.keyboard.press("ArrowRight")
    assert desk.evaluate("document.activeElement.closest('section').ariaLabel") == "Dr Ingrid Lindqvist"
    desk.keyboard.press("ArrowLeft")
    desk.keyboard.press("Enter")

    expect(desk).to_have_url(re.compile(r"\?open=\d+$"))


def test_whole_appointment_by_keys(doctors_page, clinic):
    doctors_page.goto("/")
    row_of(doctors_page, clinic.booked).focus()
    for key, status in (("a", "arrived"), ("s", "in_consultation"), ("d", "completed"), ("u", "in_consultation")):
        doctors_page.keyboard.press(key)
        assert_status(doctors_page, clinic.booked, status)
        expect(row_of(doctors_page, clinic.booked)).to_be_focused()


@pytest.mark.parametrize(
    ("key", "shown"),
    [("t", "Tuesday 24 November 2026"), ("b", "Book an appointment"), ("f", "Free times"), ("?", "Keyboard shortcuts")],
)
def test_keys_open_pages_from_anywhere(desk, clinic, key, shown):
    desk.goto("/schedule/2026-12-01/")

    desk.keyboard.press(key)

    expect(desk.get_by_role("heading", name=shown)).to_be_visible()


def test_slash_goes_to_the_search_and_arrows_to_the_patient(desk, clinic):
    desk.goto("/")
    desk.keyboard.press("/")
    desk.keyboard.type("912 345 004")
    expect(desk.locator("#found")).to_contain_text("Łucja Woźniak")
    assert_accessible(desk)
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("Enter")

    expect(desk.get_by_role("heading", name="Łucja Woźniak")).to_be_visible()


def test_single_keys_can_be_turned_off(desk, clinic):
    desk.goto("/")
    desk.keyboard.press("?")
    assert_accessible(desk)
    desk.get_by_label("Use single-key shortcuts").uncheck()
    desk.keyboard.press("Escape")
    desk.reload()
    row_of(desk, clinic.booked).focus()

    desk.keyboard.press("c")
    desk.keyboard.press("b")

    expect(desk.get_by_role("heading", name="Tuesday 24 November 2026")).to_be_visible()
    expect(row_of(desk, clinic.booked)).to_be_focused()


def test_letters_typed_into_a_field_are_letters(desk, clinic):
    desk.goto("/")

    desk.get_by_label("Find patient").press_sequentially("btf?")

    expect(desk.get_by_label("Find patient")).to_have_value("btf?")
    expect(desk.get_by_role("heading", name="Tuesday 24 November 2026")).to_be_visible()


def test_focus_is_visible_everywhere(desk, clinic):
    desk.goto("/")
    for _ in range(40):
        desk.keyboard.press("Tab")
        unseen = desk.evaluate(
            """() => {
              const focused = document.activeElement;
              const isSeen = [focused, focused.closest(".block")]
                .some((each) => each && getComputedStyle(each).outlineStyle !== "none");
              // The parts of a date field are the browser's own; so is what comes after the last stop.
              return isSeen || focused.type === "date" || focused === document.body ? "" : focused.outerHTML;
            }"""
        )
        assert not unseen


# With JavaScript off


def test_everything_works_without_javascript(plain_desk, clinic):
    page = plain_desk
    page.goto("/")
    page.get_by_role("region", name="Dr James Okafor").get_by_role("link", name="13:00").click()
    page.get_by_label(QUERY).fill("wozniak")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("Next appointment:")).to_be_visible()
    book_button(page).click()
    assert_says(page, "Booked: Łucja Woźniak")
    booked = Appointment.objects.get(patient=clinic.patients.wozniak, start_time=at("13:00"))

    act(page, booked, "Arrived")
    assert_status(page, booked, "arrived")
    page.locator("#messages").get_by_role("button", name="Undo").click()
    assert_status(page, booked, "booked")

    row_of(page, booked).click()
    page.get_by_role("link", name="Move").click()
    page.get_by_role("region", name="Dr James Okafor").get_by_role("button", name="14:00").click()
    assert_says(page, "Moved: Łucja Woźniak")

    row_of(page, booked).click()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cannot come").click()
    assert_says(page, "Łucja Woźniak: cancelled.")

    page.get_by_label("Find patient").fill("wozniak")
    page.get_by_label("Find patient").press("Enter")
    expect(page.get_by_role("main")).to_contain_text("Wed 25 Nov")


def test_member_of_a_family_with_one_telephone_walks_in(desk, clinic):
    desk.goto("/appointments/book/")
    desk.get_by_label(QUERY).fill("Rui Santos")
    desk.get_by_role("button", name="New patient").click()
    desk.get_by_label("Phone number").fill("912 345 001")
    desk.get_by_role("textbox", name="E-mail").fill("rui.santos@example.org")
    desk.get_by_role("button", name="Walk-in now").first.click()
    expect(desk.get_by_role("region", name="Registered already")).to_contain_text("Maria Santos")

    desk.get_by_role("button", name="Register anyway, walk-in now").click()

    assert_says(desk, "Walk-in: Rui Santos")


def test_new_patient_walks_in_without_javascript(plain_desk, clinic):
    page = plain_desk
    page.goto("/appointments/book/")
    page.get_by_label(QUERY).fill("Nadia Costa")
    page.get_by_role("button", name="New patient").click()
    page.get_by_role("textbox", name="E-mail").fill("nadia.costa@example.org")
    page.get_by_role("button", name="Walk-in now").first.click()

    assert_says(page, "Walk-in: Nadia Costa")
    assert Appointment.objects.get(patient__email="nadia.costa@example.org").status == Status.ARRIVED


# On a telephone


def test_phone_shows_one_doctor_at_a_time(phone_desk, clinic):
    page = phone_desk
    page.goto("/")
    expect(page.get_by_role("region", name="Dr Ana Ferreira")).to_be_in_viewport()
    assert_no_sideways_scroll(page)

    page.get_by_role("navigation", name="Doctors").get_by_role("link", name="Dr James Okafor").click()

    expect(page.get_by_role("region", name="Dr James Okafor")).to_be_in_viewport(ratio=0.1)
    expect(row_of(page, clinic.booked)).not_to_be_in_viewport()
    block(page, clinic.due).get_by_role("button", name="Arrived").click()
    assert_status(page, clinic.due, "arrived")
    assert_no_sideways_scroll(page)


def test_phone_shows_possible_duplicates(phone_desk, clinic):
    page = phone_desk
    page.goto(book_address(clinic.doctors.okafor, clinic.patients.brown, time="13:00").replace("&patient", "&nobody"))
    page.get_by_label(QUERY).fill("Rui Santos")
    page.get_by_role("button", name="New patient").click()
    page.get_by_label("Phone number").fill("912 345 001")
    page.get_by_role("textbox", name="E-mail").fill("rui.santos@example.org")
    book_button(page).click()

    alike = page.get_by_role("region", name="Registered already")
    expect(alike).to_be_focused()
    expect(alike.get_by_role("heading")).to_be_in_viewport()
    assert_accessible(page)


def test_booking_works_on_a_phone(phone_desk, clinic):
    page = phone_desk
    page.goto("/appointments/free/")
    assert_no_sideways_scroll(page)
    thursday = page.get_by_role("region", name="Thursday 26 November 2026")
    thursday.get_by_role("row", name="Dr James Okafor").get_by_role("link", name="09:00", exact=True).click()
    page.get_by_label(QUERY).fill("brown")
    page.get_by_role("main").get_by_role("button", name="Olive Brown").click()
    book_button(page).click()

    assert_says(page, "Booked: Olive Brown")
    assert Appointment.objects.filter(patient=clinic.patients.brown, start_time=at("09:00", THURSDAY)).exists()
