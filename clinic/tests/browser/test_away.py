"""Doctors who are not in, on an open page, and appointments at the side reached with keys."""

import datetime as dt
import re

import pytest
from playwright.sync_api import expect

from appointments.tests.factories import AppointmentFactory
from clinic.tests.browser.scene import at
from doctors.tests.factories import DoctorFactory, TimetableFactory

POLL_MS = 15_000  # an open day asks for changes at least this often


@pytest.fixture
def away(clinic):
    """A doctor who works on Wednesdays only."""
    doctor = DoctorFactory(full_name="Dr Nadia Away")
    TimetableFactory(doctor=doctor, week={2: [(dt.time(8), dt.time(12))]})
    return doctor


def column(page, doctor):
    return page.get_by_role("region", name=doctor.full_name)


def test_doctor_left_out_appears_with_an_appointment(desk, clinic, away):
    desk.goto("/")
    expect(desk.get_by_text("Dr Nadia Away (not on Tuesdays)")).to_be_visible()
    expect(column(desk, away)).to_have_count(0)

    AppointmentFactory(doctor=away, start_time=at("15:00"), outside_hours_reason="Urgent")

    expect(column(desk, away)).to_be_visible(timeout=POLL_MS)
    expect(desk.get_by_text("not on Tuesdays")).to_have_count(0)


def test_page_with_a_doctor_left_out_shows_changes_of_others(desk, clinic, away):
    desk.goto("/")
    made = AppointmentFactory(doctor=clinic.doctors.okafor, start_time=at("15:00"))

    expect(desk.locator(f"#v{made.pk}")).to_be_visible(timeout=POLL_MS)
    expect(column(desk, away)).to_have_count(0)


def test_columns_left_out_are_shown_without_javascript(plain_desk, clinic, away):
    plain_desk.goto("/")

    plain_desk.get_by_role("link", name="Show their columns").click()

    expect(column(plain_desk, away)).to_be_visible()


def test_cancelled_appointment_is_reached_and_restored_with_keys(desk, clinic):
    cancelled = AppointmentFactory(
        doctor=clinic.doctors.okafor, start_time=at("14:00"), patient=clinic.patients.brown,
        status="cancelled", cancelled_by="patient", cancel_reason="Ill", cancelled_at=at("09:00"),
    )  # fmt: skip
    desk.goto("/")
    desk.get_by_role("link", name="Book 14:00, Dr James Okafor").focus()

    desk.keyboard.press("ArrowDown")

    ghost = desk.locator(".is-ghost .open:focus")
    expect(ghost).to_have_attribute("title", "14:00–14:30 Olive Brown · Cancelled")
    expect(ghost).to_have_accessible_name("14:00 Olive Brown Cancelled")
    desk.keyboard.press("u")
    expect(desk.locator(f"#v{cancelled.pk}")).to_have_class(re.compile("status-booked"))
