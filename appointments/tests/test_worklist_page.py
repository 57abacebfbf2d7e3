"""The worklist page: move or cancel affected appointments, one by one or all, and tick who has been informed."""

import datetime as dt

import pytest

from appointments.booking import actions
from appointments.displaced.finder import follow_up, open_schedule_change
from appointments.displaced.worklist import MAX_SHOWN
from appointments.models import Appointment, DisplacedAppointment, ScheduleChange
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.kit import elements
from doctors.models import Leave
from doctors.tests.factories import DoctorFactory, LeaveFactory, TimetableFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

CAUSE = "Dr Okafor on leave: Ill, Wed 25 Nov 2026"
NINE, TEN, ELEVEN = at(9), at(10), at(11)


@pytest.fixture
def okafor():
    doctor = DoctorFactory(full_name="Dr Okafor")
    TimetableFactory(doctor=doctor)
    return doctor


@pytest.fixture
def lindqvist(okafor):
    return DoctorFactory(full_name="Dr Lindqvist")


@pytest.fixture
def appointments(okafor, lindqvist):
    names = ("Maria Santos", "István Kovács", "Olive Brown")
    patients = [
        PatientFactory(first_name=first, last_name=last, phone_number="+351 912 345 001")
        for first, last in map(str.split, names)
    ]
    starts = (NINE, TEN, ELEVEN)
    return [
        AppointmentFactory(doctor=okafor, patient=patient, start_time=start)
        for patient, start in zip(patients, starts, strict=True)
    ]


@pytest.fixture
def change(okafor, appointments, administrator):
    LeaveFactory(doctor=okafor, start_time=at(0), end_time=at(0, day=26), reason="Ill")
    return open_schedule_change(appointments, cause=CAUSE, by=administrator)


def rows_of(response):
    return response.context["page"].shown


def press(client, change, **button):
    """Send the page's current form with one of its buttons."""
    page = client.get(change.get_absolute_url()).context["page"]
    return send(client, change, page, **button)


def send(client, change, page, **button):
    fields = {"row": [row.form_value for row in page.open_rows], "cancel_reason": "Doctor is away"}
    return client.post(change.get_absolute_url(), fields | button)


def where(appointments):
    return [
        (each.doctor.full_name, each.start_time)
        for each in (
            Appointment.objects.select_related("doctor").get(pk=appointment.pk) for appointment in appointments
        )
    ]


# What it shows


def test_page_lists_appointments_with_phone_and_proposals(at_desk, change):
    response = at_desk.get(change.get_absolute_url())

    first = rows_of(response)[0]
    assert (first.was, first.is_open) == ("Wed 25 Nov 2026 09:00", True)
    assert (first.proposal.same.day, first.proposal.same.time) == ("Thu 26 Nov 2026", "09:00")
    assert (first.proposal.other.doctor.full_name, first.proposal.other.time) == ("Dr Lindqvist", "09:00")
    text = response.content.decode()
    assert all(each in text for each in (CAUSE, "Maria Santos", "+351 912 345 001", "3 to move or cancel"))


def test_page_makes_the_same_queries_for_many_appointments(
    at_desk, okafor, change, django_assert_max_num_queries, isolated
):
    for rows in [3, 30]:
        with isolated(rows=rows):
            for number in range(rows - 3):
                start = at(9) + dt.timedelta(days=7 * (1 + number))
                appointment = AppointmentFactory(doctor=okafor, start_time=start)
                DisplacedAppointment(change=change, appointment=appointment, doctor=okafor, start_time=start).save()

            with django_assert_max_num_queries(13 + 2):  # the audit entry, and its patients
                assert len(rows_of(at_desk.get(change.get_absolute_url()))) == rows


def test_long_worklist_shows_open_rows_first(at_desk, change, monkeypatch):
    monkeypatch.setattr("appointments.displaced.worklist.MAX_SHOWN", 2)
    press(at_desk, change, move=f"{change.displaced.first().pk}:same")

    page = at_desk.get(change.get_absolute_url()).context["page"]

    assert ([row.is_open for row in page.shown], page.more) == ([True, True], 1)
    assert MAX_SHOWN < 900  # fields that a form may send


def test_list_shows_remaining_appointments(at_desk, change):
    response = at_desk.get("/appointments/impacts/")

    assert "3 to move or cancel" in response.content.decode()
    assert [each.pk for each in response.context["changes"]] == [change.pk]


def test_day_view_links_to_the_worklist(at_desk, change):
    text = at_desk.get("/schedule/2026-11-24/").content.decode()

    assert CAUSE in text
    assert f'href="{change.get_absolute_url()}"' in text


def test_day_view_shows_managers_no_worklist(client, manager, change):
    client.force_login(manager)

    assert CAUSE not in client.get("/schedule/2026-11-24/").content.decode()


def test_call_list_shows_patients_with_phone_and_outcome(at_desk, change, appointments):
    press(at_desk, change, move=f"{change.displaced.first().pk}:same")

    text = at_desk.get(f"{change.get_absolute_url()}print/").content.decode()

    assert text.count("+351 912 345 001") == 3
    assert "Moved to Thu 26 Nov 2026 09:00" in text
    assert text.count("To offer:") == 2
    assert "Wed 25 Nov 2026 10:00, Dr Lindqvist" in text


def test_unknown_worklist_is_404(at_desk):
    assert at_desk.get("/appointments/impacts/999/").status_code == 404
    assert at_desk.get("/appointments/impacts/999/print/").status_code == 404


# Moving


@pytest.mark.both_databases
def test_one_appointment_is_moved_to_the_time_shown(at_desk, change, appointments, lindqvist):
    first, second, _third = change.displaced.all()

    press(at_desk, change, move=f"{first.pk}:same")
    response = press(at_desk, change, move=f"{second.pk}:other")

    assert response.status_code == 302
    assert where(appointments) == [("Dr Okafor", at(9, day=26)), ("Dr Lindqvist", TEN), ("Dr Okafor", ELEVEN)]


@pytest.mark.both_databases
def test_all_are_moved_at_once_with_the_reason_in_the_audit_trail(at_desk, change, appointments, receptionist):
    response = press(at_desk, change, move="all:other")

    assert response.status_code == 302
    assert where(appointments) == [("Dr Lindqvist", each) for each in (NINE, TEN, ELEVEN)]
    entries = AuditEntry.objects.get_for_objects(Appointment.objects.all()).filter(action=AuditEntry.Action.UPDATE)
    assert [(entry.actor, entry.additional_data) for entry in entries] == [(receptionist, {"reason": CAUSE})] * 3
    rows = rows_of(at_desk.get(change.get_absolute_url()))
    assert rows[0].outcome == "Moved to Wed 25 Nov 2026 09:00, Dr Lindqvist"
    assert all(row.has_left for row in rows)


@pytest.mark.both_databases
def test_failure_is_shown_in_its_row_and_others_are_moved(at_desk, change, appointments, lindqvist):
    page = at_desk.get(change.get_absolute_url()).context["page"]
    AppointmentFactory(doctor=lindqvist, start_time=TEN)  # another user was faster

    response = send(at_desk, change, page, move="all:other")

    assert where(appointments) == [("Dr Lindqvist", NINE), ("Dr Okafor", TEN), ("Dr Lindqvist", ELEVEN)]
    refused = [row.refusal for row in rows_of(response)]
    assert [bool(text) for text in refused] == [False, True, False]
    assert "Dr Lindqvist is booked 10:00–10:30" in refused[1]
    assert "1 could not be moved" in response.content.decode()


@pytest.mark.both_databases
def test_appointment_changed_in_the_meantime_is_left_alone(at_desk, change, appointments, receptionist):
    page = at_desk.get(change.get_absolute_url()).context["page"]
    appointment = Appointment.objects.get(pk=appointments[0].pk)
    appointment.notes = "Wants to come in the evening"
    appointment.save()

    response = send(at_desk, change, page, move="all:same")

    assert "Somebody else has changed this" in rows_of(response)[0].refusal
    assert where(appointments)[0] == ("Dr Okafor", NINE)


def test_outdated_page_reports_that_nothing_was_done(at_desk, change, appointments):
    page = at_desk.get(change.get_absolute_url()).context["page"]
    send(at_desk, change, page, move="all:same")

    send(at_desk, change, page, cancel="all")

    text = at_desk.get(change.get_absolute_url()).content.decode()
    assert "Nothing was done: none is left to be cancelled." in text
    assert not Appointment.objects.filter(status="cancelled").exists()


def test_button_of_a_row_returns_to_the_row(at_desk, change, appointments):
    first, second, _third = change.displaced.all()

    for button in ({"reached": first.pk}, {"move": f"{first.pk}:same"}, {"cancel": str(first.pk)}):
        assert press(at_desk, change, **button)["Location"] == f"{change.get_absolute_url()}#v{appointments[0].pk}"
    assert press(at_desk, change, move="all:same")["Location"] == change.get_absolute_url()
    assert second != first


@pytest.mark.both_databases
def test_same_click_twice_moves_once(at_desk, change, appointments):
    page = at_desk.get(change.get_absolute_url()).context["page"]

    send(at_desk, change, page, move="all:same")
    moved = where(appointments)
    response = send(at_desk, change, page, move="all:same")

    assert response.status_code == 302
    assert where(appointments) == moved


def test_move_without_a_proposal_is_refused_in_its_row(at_desk, change, appointments, lindqvist):
    lindqvist.delete()

    response = press(at_desk, change, move=f"{change.displaced.first().pk}:other")

    assert "No free time" in rows_of(response)[0].refusal
    assert not rows_of(response)[0].proposal.has_colleagues
    press(at_desk, change, move="all:other")
    assert where(appointments) == [("Dr Okafor", each) for each in (NINE, TEN, ELEVEN)]


def test_forged_rows_move_no_appointment(at_desk, change, appointments, isolated):
    cases = [
        "",
        "hit=x",
        "hit={0}&version=1&same=doctor%3D999999%26date%3D2026-11-26%26time%3D09%3A00",
        "hit={0}&same=%00",
        "hit={0}&version=1&same=date%3Dnever",
    ]
    for row_format in cases:
        with isolated(row=row_format):
            row = row_format.format(change.displaced.first().pk)

            response = at_desk.post(change.get_absolute_url(), {"row": [row], "move": "all:same"})

            assert response.status_code in (200, 302)
            assert where(appointments) == [("Dr Okafor", each) for each in (NINE, TEN, ELEVEN)]


def test_row_of_another_worklist_cannot_be_ticked(at_desk, change, appointments, administrator):
    other = open_schedule_change(appointments, cause="Another", by=administrator)

    at_desk.post(change.get_absolute_url(), {"reached": other.displaced.first().pk})

    assert not DisplacedAppointment.objects.exclude(informed_at=None).exists()


@pytest.mark.both_databases
def test_button_on_a_row_moved_meanwhile_shows_its_current_state(at_desk, change, appointments):
    page = at_desk.get(change.get_absolute_url()).context["page"]
    first = change.displaced.first()
    send(at_desk, change, page, move=f"{first.pk}:same")

    response = at_desk.post(
        change.get_absolute_url(), {"row": [page.shown[0].form_value], "move": f"{first.pk}:other"}, follow=True
    )

    assert "Maria Santos: Moved to Thu 26 Nov 2026 09:00. Nothing was done." in response.content.decode()
    assert where(appointments)[0] == ("Dr Okafor", at(9, day=26))


def test_moving_all_skips_waiting_patients(client, change, appointments, receptionist, now):
    now.move_to(at(8, 30))
    client.force_login(receptionist)
    actions.mark_arrived(appointments[0], by=receptionist)

    page = client.get(change.get_absolute_url()).context["page"]
    assert page.at_once == [("same", 2), ("other", 2)]
    assert send(client, change, page, move="all:other").status_code == 302

    assert where(appointments) == [("Dr Okafor", NINE), ("Dr Lindqvist", TEN), ("Dr Lindqvist", ELEVEN)]


def test_open_row_cannot_be_taken_off_the_list(at_desk, change, appointments):
    press(at_desk, change, settled=change.displaced.first().pk)

    assert change.displaced.count() == 3


def test_ticking_twice_or_a_deleted_row_is_no_error(at_desk, change, appointments):
    displacement = change.displaced.first()
    press(at_desk, change, reached=displacement.pk)
    assert press(at_desk, change, reached=displacement.pk).status_code == 302
    displacement.delete()

    assert press(at_desk, change, reached="1").status_code == 302


def test_page_of_an_affected_appointment_links_to_the_worklist(at_desk, change, appointments):
    text = at_desk.get(f"/appointments/{appointments[0].pk}/").content.decode()

    assert CAUSE in text
    assert f'href="{change.get_absolute_url()}#v{appointments[0].pk}"' in text


# Undo of moves


def move_all(client, change, whose="other"):
    """Move all, and return the address and the value of the Undo button in the message."""
    press(client, change, move=f"all:{whose}")
    return undo_in(client.get(change.get_absolute_url()))


def undo_in(response):
    (button,) = [attrs for tag, attrs in elements(response) if tag == "button" and attrs.get("data-key") == "u"]
    return button["formaction"], {button["name"]: button["value"]}


@pytest.mark.both_databases
def test_undo_puts_all_back_although_the_doctor_is_away(at_desk, change, appointments, receptionist):
    undo = move_all(at_desk, change)

    response = at_desk.post(*undo, follow=True)

    assert where(appointments) == [("Dr Okafor", each) for each in (NINE, TEN, ELEVEN)]
    assert [row.is_open for row in rows_of(response)] == [True] * 3
    assert "3 put back." in response.content.decode()
    entry = AuditEntry.objects.get_for_object(appointments[0]).latest("pk")
    assert (entry.actor, entry.additional_data) == (
        receptionist,
        {"reason": "Undone, to be moved or cancelled again"},
    )


@pytest.mark.both_databases
def test_undo_leaves_what_was_changed_or_is_taken_by_now(at_desk, change, appointments):
    undo = move_all(at_desk, change, whose="same")
    changed = Appointment.objects.get(pk=appointments[0].pk)
    changed.notes = "Wants to come in the evening"
    changed.save()
    AppointmentFactory(doctor=DoctorFactory(), patient=appointments[1].patient, start_time=TEN)

    response = at_desk.post(*undo)

    assert [start.day for _doctor, start in where(appointments)] == [26, 26, 25]
    assert [bool(row.refusal) for row in rows_of(response)] == [True, True, False]
    page = response.content.decode()
    assert "1 put back." in page
    assert "2 could not be put back: see below." in page
    assert page.count('<p class="refusal" role="alert">') == 2


@pytest.mark.both_databases
def test_undo_brings_all_cancelled_ones_back_although_the_doctor_is_away(at_desk, change, appointments):
    press(at_desk, change, cancel="all")
    undo = undo_in(at_desk.get(change.get_absolute_url()))

    response = at_desk.post(*undo, follow=True)

    assert "3 put back." in response.content.decode()
    assert [row.is_open for row in rows_of(response)] == [True] * 3
    first = Appointment.objects.get(pk=appointments[0].pk)
    assert (first.status, first.cancelled_by, first.cancelled_at) == ("booked", "", None)


def test_undo_pressed_twice_does_nothing_more(at_desk, change, appointments):
    undo = move_all(at_desk, change)
    at_desk.post(*undo)

    response = at_desk.post(*undo, follow=True)

    assert "none is left to be put back" in response.content.decode()
    assert Appointment.objects.get(pk=appointments[0].pk).version == 3


def test_undo_of_another_user_or_list_or_invented_is_refused(
    client, at_desk, change, appointments, administrator, isolated
):
    address, values = move_all(at_desk, change)
    other = open_schedule_change(appointments, cause=CAUSE, by=None)
    cases = {"invented": (address, {"put_back": "1-2"}), "list": (other.get_absolute_url(), values)}
    for name, sent in (cases | {"user": (address, values)}).items():
        with isolated(name):
            if name == "user":
                client.force_login(administrator)
            response = client.post(*sent, follow=True)

            assert "can no longer be undone" in response.content.decode()
            assert where(appointments)[0] == ("Dr Lindqvist", NINE)


def test_patient_who_was_informed_of_the_move_is_to_be_informed_again(at_desk, change, receptionist):
    undo = move_all(at_desk, change)
    change.displaced.first().mark_informed(by=receptionist)

    at_desk.post(*undo)

    assert change.displaced.filter(informed_at=None).count() == 3


def test_move_out_of_a_leave_offers_no_undo(at_desk, change, appointments, okafor):
    form_data = {"doctor": okafor.pk, "date": "2026-11-27", "time": "09:00", "duration_minutes": "30", "version": "1"}

    response = at_desk.post(f"/appointments/{appointments[0].pk}/move/", form_data, follow=True)

    text = response.content.decode()
    assert "Moved: Maria Santos" in text
    assert ">Undo<" not in text


# Cancelling


def test_all_are_cancelled_with_a_reason_and_by_the_clinic(at_desk, change, appointments):
    press(at_desk, change, cancel="all", cancel_reason="Doctor is ill")

    assert set(Appointment.objects.values_list("status", "cancelled_by", "cancel_reason")) == {
        ("cancelled", "clinic", "Doctor is ill")
    }
    assert [row.outcome for row in rows_of(at_desk.get(change.get_absolute_url()))] == ["Cancelled: Doctor is ill"] * 3


def test_cancelling_all_is_refused_at_the_reason(at_desk, change, isolated):
    cases = [(" ", "required"), ("x" * 201, "max_length"), ("a\0b", "null_characters_not_allowed")]
    for reason, code in cases:
        with isolated(reason=reason, code=code):
            response = press(at_desk, change, cancel="all", cancel_reason=reason)

            why = response.context["cancel_form"]
            assert [error.code for error in why.errors["cancel_reason"].as_data()] == [code]
            assert why["cancel_reason"].value() == reason
            assert set(Appointment.objects.values_list("status", flat=True)) == {"booked"}


def test_moving_one_by_hand_returns_to_the_worklist(at_desk, change, appointments, okafor, isolated):
    cases = [
        ("cancel", {"cancelled_by": "patient", "cancel_reason": "Ill"}),
        ("move", {"doctor": "{doctor}", "date": "2026-11-27", "time": "09:00", "duration_minutes": "30"}),
    ]
    for step, form_data in cases:
        with isolated(step=step, form_data=form_data):
            address = f"/appointments/{appointments[0].pk}/{step}/"
            form = at_desk.get(address, headers={"referer": f"http://testserver{change.get_absolute_url()}"}).context[
                "form"
            ]
            form_data = {name: value.format(doctor=okafor.pk) for name, value in form_data.items()}

            response = at_desk.post(
                address, form_data | {"version": form["version"].value(), "next": form["next"].value()}
            )

            assert response["Location"] == f"{change.get_absolute_url()}#v{appointments[0].pk}"


# Reaching


def test_informed_patients_are_ticked_with_user_and_can_be_unticked(at_desk, change, receptionist):
    displacement = change.displaced.first()

    press(at_desk, change, reached=displacement.pk)

    displacement.refresh_from_db()
    assert displacement.informed_by == receptionist
    assert receptionist.display_name in at_desk.get(change.get_absolute_url()).content.decode()
    press(at_desk, change, not_reached=displacement.pk)
    displacement.refresh_from_db()
    assert displacement.informed_at is None


def test_informed_patient_is_listed_again_when_the_doctor_is_back(at_desk, change, appointments, receptionist):
    change.displaced.first().mark_informed(by=receptionist)
    leave = Leave.objects.get()
    leave.delete()
    follow_up([], cause="", doctors=leave.diaries(), by=receptionist)

    page = at_desk.get(change.get_absolute_url()).context["page"]

    assert [row.outcome for row in page.rows] == ["Stays: Dr Okafor is there again"]
    assert (page.to_rebook, page.to_inform) == (0, 1)
    (listed,) = at_desk.get("/appointments/impacts/").context["changes"]
    assert (listed.to_rebook, listed.to_inform) == (0, 1)


def test_cancel_page_of_an_affected_appointment_suggests_the_reason(at_desk, change, appointments):
    address = f"/appointments/{appointments[0].pk}/cancel/"

    form = at_desk.get(address, headers={"referer": f"http://testserver{change.get_absolute_url()}"}).context["form"]

    assert (form["cancelled_by"].value(), form["cancel_reason"].value()) == ("clinic", "Doctor is away")


def test_appointment_that_fits_again_can_be_taken_off_the_list(at_desk, change, appointments):
    Leave.objects.get().delete()

    rows = rows_of(at_desk.get(change.get_absolute_url()))
    assert [row.outcome for row in rows] == ["Stays: Dr Okafor is there again"] * 3
    for row in rows:
        press(at_desk, change, settled=row.displaced.pk)

    assert not change.displaced.exists()
    assert Appointment.objects.count() == 3


def test_outcome_describes_what_happened_to_the_appointment(client, change, appointments, now, receptionist):
    now.move_to(at(9, 20))
    actions.mark_no_show(appointments[0], by=receptionist)
    now.move_to(at(10, 40))
    client.force_login(receptionist)

    outcomes = [row.outcome for row in rows_of(client.get(change.get_absolute_url()))]

    assert outcomes == ["No-show", "The time has passed", ""]


def test_form_without_a_button_changes_nothing(at_desk, change, appointments):
    response = at_desk.post(change.get_absolute_url(), {"cancel_reason": "Doctor is ill"})

    assert response.context["cancel_form"]["cancel_reason"].value() == "Doctor is ill"
    assert ScheduleChange.objects.get().displaced.count() == 3
