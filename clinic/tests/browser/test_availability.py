"""A doctor falls ill: leave on a full day, all appointments moved, all patients called."""

import datetime as dt
import re

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import expect

from appointments.models import Appointment, DisplacedAppointment
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import AWAY_ENTRY
from clinic.tests.browser.conftest import PHONE
from clinic.tests.browser.counted import clicks_of
from clinic.tests.browser.hands import Hands
from clinic.tests.browser.scene import TOMORROW, at
from doctors.models import Leave, Timetable
from doctors.tests.factories import DoctorFactory, TimetableFactory
from patients.tests.factories import PatientFactory

HALF_HOUR = dt.timedelta(minutes=30)
MORNING, AFTERNOON = (at("08:00", TOMORROW), at("13:00", TOMORROW))
STARTS = [begin + number * HALF_HOUR for begin in (MORNING, AFTERNOON) for number in range(8)]


@pytest.fixture
def full_day(clinic):
    """A doctor with sixteen appointments tomorrow, and a colleague."""
    doctor = DoctorFactory(full_name="Dr Sara Nunes", specialization="Dermatology")
    TimetableFactory(doctor=doctor)
    TimetableFactory(doctor=DoctorFactory(full_name="Dr Piet Vermeer", specialization="Dermatology"))
    for number, start in enumerate(STARTS):
        patient = PatientFactory(first_name="Rui", last_name=f"Alves {'abcdefghijklmnop'[number]}")
        AppointmentFactory(doctor=doctor, patient=patient, start_time=start)
    return doctor


def appointments_of(doctor):
    return Appointment.objects.for_doctor(doctor.pk).on_day(TOMORROW).filter(status="booked")


def enter_leave(page, hands, doctor):
    """Go from the doctor's page to the worklist of a leave tomorrow."""
    page.goto(doctor.get_absolute_url())
    hands.click(page.get_by_role("link", name="Add leave"))
    expect(page.get_by_label("First day")).to_be_focused()
    page.get_by_label("First day").fill(TOMORROW.isoformat())
    page.get_by_label("Reason").fill("Ill")
    hands.click(page.get_by_role("button", name="Save", exact=True).locator("visible=true").last)
    expect(page.get_by_role("heading", name="16 affected appointments")).to_be_visible()
    assert not Leave.objects.filter(doctor=doctor).exists()
    hands.click(page.get_by_role("button", name="Save, then move or cancel 16"))
    expect(page.get_by_role("status").filter(has_text="16 to move or cancel")).to_be_visible()


@pytest.mark.parametrize("whose", ["same doctor", "other doctor"])
def test_all_appointments_of_a_full_day_move_in_four_clicks(admins_page, full_day, whose):
    hands = Hands(admins_page)

    enter_leave(admins_page, hands, full_day)
    hands.click(admins_page.get_by_role("button", name=re.compile(f"Move all 16: {whose}")))

    expect(admins_page.get_by_text("16 moved.")).to_be_visible()
    expect(admins_page.get_by_text("16 patients to inform")).to_be_visible()
    assert not appointments_of(full_day).exists()
    assert Appointment.objects.filter(patient__first_name="Rui", status="booked").count() == 16
    assert hands.clicks == clicks_of("Leave over a full day of 16, everyone moved")


def test_receptionist_enters_that_a_doctor_is_away_tomorrow(desk, receptionist, full_day):
    receptionist.groups.add(Group.objects.get(name=AWAY_ENTRY))
    hands = Hands(desk)
    desk.goto(f"/schedule/{TOMORROW}/")

    hands.click(desk.get_by_role("link", name="Dr Sara Nunes is away"))
    expect(desk.get_by_label("Only Wed 25 Nov 2026")).to_be_checked()
    hands.click(desk.get_by_role("button", name="Save", exact=True).locator("visible=true").last)
    hands.click(desk.get_by_role("button", name="Save, then move or cancel 16"))
    hands.click(desk.get_by_role("button", name=re.compile("Move all 16: same doctor")))

    expect(desk.get_by_text("16 moved.")).to_be_visible()
    assert not appointments_of(full_day).exists()
    assert hands.clicks == clicks_of("Doctor of a full day of 16 is away, everyone moved")


def test_undo_puts_all_moved_appointments_back(admins_page, full_day):
    enter_leave(admins_page, Hands(admins_page), full_day)
    admins_page.get_by_role("button", name=re.compile("Move all 16: same doctor")).click()
    expect(admins_page.get_by_text("16 moved.")).to_be_visible()

    admins_page.wait_for_load_state()  # keys work once their script is there
    admins_page.keyboard.press("u")

    expect(admins_page.get_by_text("16 put back.")).to_be_visible()
    assert appointments_of(full_day).count() == 16


def test_receptionist_opens_the_worklist_and_ticks_informed_patients(admins_page, desk, full_day):
    enter_leave(admins_page, Hands(admins_page), full_day)

    desk.goto("/")
    link = desk.get_by_role("link", name="16 to rebook")
    assert "Dr Sara Nunes on leave" in link.get_attribute("title")
    link.click()
    desk.get_by_role("button", name="Move Rui Alves a to Thu 26 Nov 2026").click()
    expect(desk.get_by_text("1 moved.")).to_be_visible()
    desk.get_by_role("checkbox", name="Informed: Rui Alves a").click()

    expect(desk.get_by_role("checkbox", name="Informed: Rui Alves a")).to_be_checked()
    expect(desk.get_by_text("15 patients to inform")).to_be_visible()
    assert DisplacedAppointment.objects.exclude(informed_at=None).get().informed_by.username == "reception"


def test_worklist_works_without_javascript_and_on_a_phone(open_page, administrator, full_day):
    page = open_page(administrator, java_script_enabled=False, **PHONE)
    page.goto(f"/doctors/{full_day.pk}/leave/")
    page.get_by_label("First day").fill(TOMORROW.isoformat())
    page.get_by_label("Reason").fill("Ill")
    page.get_by_label("Reason").press("Enter")
    page.get_by_role("button", name="Save, then move or cancel 16").click()

    page.get_by_text("Cancel all 16 …").click()
    page.get_by_label("The clinic cancels, because").fill("Doctor is ill")
    page.get_by_role("button", name="Cancel all 16", exact=True).click()

    expect(page.get_by_text("16 cancelled.")).to_be_visible()
    assert not appointments_of(full_day).exists()


def test_enter_in_the_reason_cancels_no_appointment(admins_page, full_day):
    enter_leave(admins_page, Hands(admins_page), full_day)
    admins_page.get_by_text("Cancel all 16 …").click()

    admins_page.get_by_label("The clinic cancels, because").press("Enter")
    admins_page.wait_for_load_state()

    expect(admins_page.get_by_text("16 to move or cancel")).to_be_visible()
    assert appointments_of(full_day).count() == 16


def test_hours_are_typed_once_and_copied(admins_page, full_day):
    doctor = DoctorFactory(full_name="Dr New")
    admins_page.goto(f"/doctors/{doctor.pk}/hours/")
    expect(admins_page.get_by_label("Monday", exact=True)).to_be_focused()
    admins_page.keyboard.type("8-12:30, 13:30-17")
    admins_page.get_by_role("button", name="Copy").click()
    expect(admins_page.get_by_label("Friday", exact=True)).to_have_value("8-12:30, 13:30-17")
    admins_page.get_by_role("button", name="Save", exact=True).locator("visible=true").last.click()

    expect(admins_page.get_by_text("Saved: Hours of Dr New")).to_be_visible()
    assert sorted(Timetable.objects.get(doctor=doctor).week) == [0, 1, 2, 3, 4]
