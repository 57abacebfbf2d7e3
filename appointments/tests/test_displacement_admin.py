"""Availability in the admin: affected appointments are shown before saving and listed after it."""

import pytest

from appointments.models import DisplacedAppointment, ScheduleChange
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from doctors.models import Closure, Doctor, Leave, Timetable
from doctors.tests.factories import DoctorFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

ADMIN = "/admin/doctors"


@pytest.fixture
def okafor():
    doctor = DoctorFactory(full_name="Dr Okafor")
    TimetableFactory(doctor=doctor)
    return doctor


@pytest.fixture
def booked(okafor):
    return AppointmentFactory(doctor=okafor, start_time=at(10, day=26), patient__phone_number="+351 912 345 001")


def form_of(response):
    return response.context["adminform"].form


def form_codes(response):
    return [error.code for error in form_of(response).non_field_errors().as_data()]


def confirmed(client, address, form_data):
    """Send a form, look at the affected appointments, and send it again."""
    shown = client.post(address, form_data)
    assert form_codes(shown) == ["hits"]
    assert "+351 912 345 001" in shown.content.decode()
    return client.post(address, form_data | {"seen_hits": form_of(shown)["seen_hits"].value()})


def leave_data(doctor):
    return {
        "doctor": doctor.pk,
        "start_time_0": "2026-11-26",
        "start_time_1": "00:00",
        "end_time_0": "2026-11-27",
        "end_time_1": "00:00",
        "reason": "Ill",
    }


def test_leave(in_admin, okafor, booked, administrator):
    response = confirmed(in_admin, f"{ADMIN}/leave/add/", leave_data(okafor))

    change = ScheduleChange.objects.get()
    assert response["Location"] == change.get_absolute_url()
    assert (change.created_by, change.displaced.get().appointment) == (administrator, booked)
    assert Leave.objects.count() == 1


def test_leave_without_affected_appointments_is_saved_at_once(in_admin, okafor):
    response = in_admin.post(f"{ADMIN}/leave/add/", leave_data(okafor))

    assert response["Location"] == f"{ADMIN}/leave/"
    assert not ScheduleChange.objects.exists()


def test_closure(in_admin, booked):
    confirmed(in_admin, f"{ADMIN}/closure/add/", {"date": "2026-11-26", "name": "Power cut"})

    assert Closure.objects.count() == ScheduleChange.objects.count() == 1


def test_shorter_hours(in_admin, okafor, booked):
    timetable = Timetable.objects.get()
    form_data = {"valid_from": "", "valid_until": "", "monday": "8-12", "seen_version": timetable.version}

    confirmed(in_admin, f"{ADMIN}/timetable/{timetable.pk}/change/", form_data)

    assert sorted(Timetable.objects.get().week) == [0]
    assert ScheduleChange.objects.get().cause == "Hours of Dr Okafor until further notice"


def doctor_data(**changes):
    form_data = {"full_name": "Dr Okafor", "specialization": "Cardiology", "user": ""}
    return form_data | {"usual_minutes": "30", "gap_minutes": "0"} | changes


def test_deactivation(in_admin, okafor, booked):
    confirmed(in_admin, f"{ADMIN}/doctor/{okafor.pk}/change/", doctor_data())

    assert not Doctor.objects.get(pk=okafor.pk).is_active
    assert ScheduleChange.objects.get().cause == "Dr Okafor takes no appointments any more"


def test_change_of_an_active_doctor_needs_no_confirmation(in_admin, okafor, booked):
    in_admin.post(f"{ADMIN}/doctor/{okafor.pk}/change/", doctor_data(is_active="on", gap_minutes="10"))

    assert Doctor.objects.get(pk=okafor.pk).gap_minutes == 10
    assert not ScheduleChange.objects.exists()


def test_bulk_deactivation_skips_doctors_with_appointments(in_admin, okafor, booked):
    free = DoctorFactory()

    response = in_admin.post(
        f"{ADMIN}/doctor/", {"action": "deactivate", "_selected_action": [okafor.pk, free.pk]}, follow=True
    )

    assert list(Doctor.objects.active()) == [okafor]
    text = response.content.decode()
    assert "Dr Okafor still has booked appointments: 1." in text
    assert f'href="{ADMIN}/doctor/{okafor.pk}/change/"' in text
    assert "1 deactivated" in text


def test_bulk_reactivation_clears_the_doctors_worklist(in_admin, okafor, booked):
    confirmed(in_admin, f"{ADMIN}/doctor/{okafor.pk}/change/", doctor_data())

    in_admin.post(f"{ADMIN}/doctor/", {"action": "reactivate", "_selected_action": [okafor.pk]})

    assert not DisplacedAppointment.objects.unfinished().exists()


def test_hours_are_deleted_on_their_own_page_only(in_admin, okafor):
    timetable = Timetable.objects.get()

    assert in_admin.post(f"{ADMIN}/timetable/{timetable.pk}/delete/", {"post": "yes"}).status_code == 403
    in_admin.post(
        f"{ADMIN}/timetable/", {"action": "delete_selected", "_selected_action": [timetable.pk], "post": "yes"}
    )

    assert Timetable.objects.exists()


def test_deleted_leave_clears_its_worklist(in_admin, okafor, booked, isolated):
    for way in ["page", "list"]:
        with isolated(way=way):
            confirmed(in_admin, f"{ADMIN}/leave/add/", leave_data(okafor))
            leave = Leave.objects.get()

            if way == "page":
                in_admin.post(f"{ADMIN}/leave/{leave.pk}/delete/", {"post": "yes"})
            else:
                in_admin.post(
                    f"{ADMIN}/leave/", {"action": "delete_selected", "_selected_action": [leave.pk], "post": "yes"}
                )

            assert not Leave.objects.exists()
            assert not DisplacedAppointment.objects.unfinished().exists()


def test_form_that_only_shows_affected_appointments_writes_nothing(in_admin, okafor, booked):
    version = Doctor.objects.get().diary_version

    in_admin.post(f"{ADMIN}/leave/add/", leave_data(okafor))

    assert Doctor.objects.get().diary_version == version


def test_popup_form_answers_its_window(in_admin, okafor, booked):
    form_data = leave_data(okafor) | {"_popup": "1"}
    shown = in_admin.post(f"{ADMIN}/leave/add/", form_data)

    response = in_admin.post(f"{ADMIN}/leave/add/", form_data | {"seen_hits": form_of(shown)["seen_hits"].value()})

    assert response.status_code == 200
    assert "popup_response" in response.content.decode()
    assert ScheduleChange.objects.exists()
