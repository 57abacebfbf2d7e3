"""The page of an appointment, its actions and their refusals."""

import datetime as dt

import pytest

from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.kit import at, codes_at, elements, fresh, markup
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")


EARLIER, RUNNING, LATER, TOMORROW, YESTERDAY = at(8), at(8, 45), at(10), at(10, day=25), at(10, day=23)
STAMPS = {
    "booked": {},
    "arrived": {"arrived_at": EARLIER},
    "in_consultation": {"arrived_at": EARLIER, "started_at": EARLIER},
    "completed": {"arrived_at": EARLIER, "started_at": EARLIER, "completed_at": EARLIER},
    "no_show": {},
    "left": {"arrived_at": EARLIER, "left_at": EARLIER},
    "cancelled": {"cancelled_at": EARLIER, "cancelled_by": "patient", "cancel_reason": "Ill"},
}


@pytest.fixture
def appointment(okafor):
    """Booked for 10:00 today."""
    return AppointmentFactory(
        doctor=okafor,
        patient=PatientFactory(first_name="Maria", last_name="Santos"),
        reason="Sore knee",
        notes="Ground floor",
    )


def create_appointment(status, *, start_time=EARLIER, **kwargs):
    return AppointmentFactory(status=status, start_time=start_time, **STAMPS[status], **kwargs)


def row(appointment):
    return Appointment.objects.filter(pk=appointment.pk).values().get()


def entries(appointment):
    return AuditEntry.objects.get_for_object(appointment).writes()


def levels(response):
    return [message.level_tag for message in response.context["messages"]]


def labels(response):
    return [action.label for action in response.context["buttons"].actions]


def address(appointment, action=""):
    return f"/appointments/{appointment.pk}/{action}"


def day_url(appointment):
    """Return the appointment's place in the day view."""
    return f"/schedule/{appointment.start_time:%Y-%m-%d}/#v{appointment.pk}"


def move_url(appointment):
    """Return the day view in which a new time is picked."""
    return f"/schedule/{appointment.start_time:%Y-%m-%d}/?move={appointment.pk}#v{appointment.pk}"


# The page


def test_detail_shows_the_appointment_and_its_history(at_desk, appointment):
    response = at_desk.get(address(appointment))

    page = response.content.decode()
    for shown in ("Maria Santos", "Dr Okafor", "Sore knee", "Ground floor", "30 min"):
        assert shown in page
    assert [entry.what for entry in response.context["history"]] == [["Booked"]]
    assert response.context["schedule_url"] == day_url(appointment)


def test_detail_changes_nothing(at_desk, appointment):
    before = row(appointment)

    at_desk.get(address(appointment))

    assert row(appointment) == before
    assert entries(appointment).count() == 1


def test_unknown_page_is_not_found(at_desk, appointment, isolated):
    for action in ["", "move/", "cancel/"]:
        with isolated(action=action):
            assert at_desk.get(f"/appointments/999/{action}").status_code == 404
            assert at_desk.get(f"/appointments/99999999999999999999/{action}").status_code == 404


def test_action_on_an_unknown_appointment_is_not_found(in_admin, appointment, isolated):
    for action in ["arrive/", "start/", "complete/", "attended/", "no-show/", "undo/", "move/", "cancel/"]:
        with isolated(action=action):
            assert in_admin.post(f"/appointments/999/{action}").status_code == 404


def test_detail_offers_only_allowed_actions(in_admin, isolated):
    cases = [
        ("booked", LATER, ["Arrived", "Start"]),
        ("booked", EARLIER, ["Arrived", "Start", "Attended", "No-show"]),
        ("booked", TOMORROW, []),
        ("booked", RUNNING, ["Arrived", "Start", "No-show"]),
        ("booked", YESTERDAY, ["Attended", "No-show"]),
        ("arrived", EARLIER, ["Start", "Attended", "Left unseen"]),
        ("arrived", RUNNING, ["Start", "Left unseen"]),
        ("left", RUNNING, []),
        ("in_consultation", EARLIER, ["Done"]),
        ("completed", EARLIER, []),
        ("no_show", EARLIER, ["Arrived"]),
        ("no_show", YESTERDAY, []),
        ("cancelled", LATER, []),
    ]
    for status, start_time, expected in cases:
        with isolated(status=status, start_time=start_time, expected=expected):
            response = in_admin.get(address(create_appointment(status, start_time=start_time)))

            assert labels(response) == expected


def test_receptionist_is_offered_no_consultation(at_desk):
    response = at_desk.get(address(create_appointment("booked")))

    assert labels(response) == ["Arrived", "Attended", "No-show"]
    assert response.context["buttons"].can_change


def test_doctor_is_offered_neither_move_nor_cancel(client, doctor_user):
    appointment = create_appointment("booked", doctor=DoctorFactory(user=doctor_user))
    client.force_login(doctor_user)

    response = client.get(address(appointment))

    assert labels(response) == ["Arrived", "Start", "Attended", "No-show"]
    page = response.content.decode()
    assert move_url(appointment) not in page
    assert address(appointment, "move/") not in page
    assert address(appointment, "cancel/") not in page


def test_move_and_cancel_are_offered_only_while_allowed(at_desk, isolated):
    for status in STAMPS:
        with isolated(status=status):
            appointment = create_appointment(status)

            page = at_desk.get(address(appointment)).content.decode()

            offered = status in {"booked", "arrived"}
            assert (f'href="{move_url(appointment)}"' in page) is offered
            assert (address(appointment, "cancel/") in page) is offered


def test_undo_is_offered_only_while_allowed(in_admin, isolated):
    cases = [
        ("booked", EARLIER, False),
        ("arrived", EARLIER, True),
        ("in_consultation", EARLIER, True),
        ("completed", EARLIER, True),
        ("completed", YESTERDAY, False),
        ("no_show", YESTERDAY, True),
        ("cancelled", LATER, True),
        ("cancelled", EARLIER, False),
    ]
    for status, start_time, offered in cases:
        with isolated(status=status, start_time=start_time, offered=offered):
            appointment = create_appointment(status, start_time=start_time)

            page = in_admin.get(address(appointment)).content.decode()

            assert (address(appointment, "undo/") in page) is offered


def test_undo_is_not_offered_without_permission(at_desk, isolated):
    for status in ["in_consultation", "completed"]:
        with isolated(status=status):
            appointment = create_appointment(status)

            assert address(appointment, "undo/") not in at_desk.get(address(appointment)).content.decode()


# Actions


def test_action_sets_the_status_and_its_timestamps(in_admin, administrator, isolated):
    cases = [
        ("arrive/", "booked", "arrived", {"arrived_at"}),
        ("arrive/", "no_show", "arrived", {"arrived_at"}),
        ("start/", "booked", "in_consultation", {"arrived_at", "started_at"}),
        ("start/", "arrived", "in_consultation", {"started_at"}),
        ("complete/", "in_consultation", "completed", {"completed_at"}),
        ("attended/", "booked", "completed", set()),
        ("no-show/", "booked", "no_show", set()),
    ]
    for action, status, becomes, stamped in cases:
        with isolated(action=action, status=status, becomes=becomes, stamped=stamped):
            appointment = create_appointment(status)

            response = in_admin.post(address(appointment, action), {"version": appointment.version}, follow=True)

            assert response.redirect_chain == [(address(appointment), 302)]
            assert levels(response) == ["success"]
            appointment.refresh_from_db()
            assert appointment.status == becomes
            assert {
                name for name in ("arrived_at", "started_at", "completed_at") if getattr(appointment, name) == at(9)
            } == stamped
            assert entries(appointment).latest("pk").actor == administrator


def test_undo_restores_the_previous_status(in_admin, isolated):
    cases = [
        ("arrived", "booked", ["arrived_at"]),
        ("in_consultation", "arrived", ["started_at"]),
        ("completed", "in_consultation", ["completed_at"]),
        ("no_show", "booked", []),
    ]
    for status, becomes, cleared in cases:
        with isolated(status=status, becomes=becomes, cleared=cleared):
            appointment = create_appointment(status)

            in_admin.post(address(appointment, "undo/"), {"version": appointment.version})

            appointment.refresh_from_db()
            assert appointment.status == becomes
            assert [name for name in STAMPS[status] if getattr(appointment, name) is None] == cleared


def test_undo_of_a_cancellation_clears_the_reason(at_desk):
    appointment = create_appointment("cancelled", start_time=LATER)

    at_desk.post(address(appointment, "undo/"), {"version": appointment.version})

    appointment.refresh_from_db()
    assert (appointment.status, appointment.cancelled_at, appointment.cancelled_by, appointment.cancel_reason) == (
        "booked",
        None,
        "",
        "",
    )


def test_refused_action_shows_an_error_and_changes_nothing(in_admin, isolated):
    cases = [
        ("arrive/", "booked", TOMORROW),
        ("arrive/", "booked", YESTERDAY),
        ("arrive/", "cancelled", LATER),
        ("start/", "booked", TOMORROW),
        ("start/", "no_show", EARLIER),
        ("complete/", "booked", EARLIER),
        ("complete/", "arrived", EARLIER),
        ("attended/", "booked", RUNNING),
        ("attended/", "in_consultation", RUNNING),
        ("attended/", "cancelled", EARLIER),
        ("no-show/", "booked", LATER),
        ("no-show/", "arrived", EARLIER),
        ("undo/", "booked", LATER),
        ("undo/", "cancelled", EARLIER),
        ("undo/", "completed", YESTERDAY),
    ]
    for action, status, start_time in cases:
        with isolated(action=action, status=status, start_time=start_time):
            appointment = create_appointment(status, start_time=start_time)
            before = row(appointment)

            response = in_admin.post(address(appointment, action), follow=True)

            assert levels(response) == ["error"]
            assert row(appointment) == before
            assert entries(appointment).count() == 1


@pytest.mark.both_databases
def test_undo_is_refused_when_the_time_is_taken(at_desk, okafor):
    appointment = create_appointment("cancelled", start_time=LATER, doctor=okafor)
    AppointmentFactory(doctor=okafor, start_time=LATER)

    response = at_desk.post(address(appointment, "undo/"), follow=True)

    assert levels(response) == ["error"]
    assert row(appointment)["status"] == "cancelled"


@pytest.mark.both_databases
def test_double_click_changes_once(in_admin, now, isolated):
    for action, status in [("arrive/", "booked"), ("start/", "arrived"), ("no-show/", "booked")]:
        with isolated(action=action, status=status):
            appointment = create_appointment(status)
            in_admin.post(address(appointment, action), {"version": appointment.version})
            once = row(appointment)
            now.shift(1)

            response = in_admin.post(address(appointment, action), {"version": appointment.version}, follow=True)

            assert "error" not in levels(response)
            assert row(appointment) == once
            assert entries(appointment).count() == 2


@pytest.mark.both_databases
def test_double_click_on_undo_undoes_one_step(in_admin):
    appointment = create_appointment("in_consultation")
    in_admin.post(address(appointment, "undo/"), {"version": appointment.version})

    response = in_admin.post(address(appointment, "undo/"), {"version": appointment.version}, follow=True)

    assert levels(response)[-1] == "error"
    assert row(appointment)["status"] == "arrived"
    assert entries(appointment).count() == 2


def test_undo_button_carries_the_version(in_admin):
    appointment = create_appointment("arrived")

    page = markup(in_admin.get(address(appointment)))

    assert f'formaction="{address(appointment, "undo/")}" name="version" value="{appointment.version}"' in page


# Cancel


def test_cancel_sets_who_cancelled_and_the_reason(at_desk, receptionist, appointment):
    response = at_desk.post(
        address(appointment, "cancel/"),
        {"cancelled_by": "clinic", "cancel_reason": "Doctor ill", "version": appointment.version},
    )

    assert response["Location"] == day_url(appointment)
    appointment.refresh_from_db()
    assert (appointment.status, appointment.cancelled_by, appointment.cancel_reason) == (
        "cancelled",
        "clinic",
        "Doctor ill",
    )
    assert appointment.cancelled_at == at(9)
    assert entries(appointment).latest("pk").actor == receptionist


def test_cancelled_appointment_shows_who_cancelled_and_the_reason(at_desk, appointment):
    at_desk.post(
        address(appointment, "cancel/"),
        {"cancelled_by": "clinic", "cancel_reason": "Doctor ill", "version": appointment.version},
    )

    page = at_desk.get(address(appointment)).content.decode()

    assert "Doctor ill" in page
    assert "by the clinic" in page


def test_cancel_is_refused_at_its_field(at_desk, appointment, isolated):
    cases = [
        ({"cancelled_by": ""}, "cancelled_by", "required"),
        ({"cancelled_by": "weather"}, "cancelled_by", "invalid_choice"),
        ({"cancel_reason": ""}, "cancel_reason", "required"),
        ({"cancel_reason": "   "}, "cancel_reason", "required"),
        ({"cancel_reason": "x" * 201}, "cancel_reason", "max_length"),
        ({"cancel_reason": "a\0b"}, "cancel_reason", "null_characters_not_allowed"),
        ({"version": "x"}, "__all__", "incomplete"),
        ({"version": ""}, "__all__", "incomplete"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            before = row(appointment)

            response = at_desk.post(
                address(appointment, "cancel/"),
                {"cancelled_by": "patient", "cancel_reason": "Ill", "version": "1"} | changes,
            )

            assert codes_at(response, field) == [code]
            assert row(appointment) == before


def test_button_without_a_version_changes_nothing(in_admin, isolated):
    for version in [{}, {"version": ""}, {"version": "0"}, {"version": "x"}, {"version": "-1"}]:
        with isolated(version=version):
            appointment = create_appointment("in_consultation")
            before = row(appointment)

            response = in_admin.post(address(appointment, "undo/"), version, follow=True)

            assert levels(response) == ["error"]
            assert row(appointment) == before


@pytest.mark.both_databases
def test_cancel_sent_twice_is_one_cancellation(at_desk, appointment):
    form_data = {"cancelled_by": "clinic", "cancel_reason": "Again", "version": appointment.version}
    at_desk.post(address(appointment, "cancel/"), form_data)
    once = row(appointment)

    response = at_desk.post(address(appointment, "cancel/"), form_data, follow=True)

    assert "error" not in levels(response)
    assert row(appointment) == once


def test_cancel_of_a_finished_appointment_is_refused(at_desk, isolated):
    for status in ["in_consultation", "completed", "no_show"]:
        with isolated(status=status):
            appointment = create_appointment(status)
            before = row(appointment)

            response = at_desk.post(
                address(appointment, "cancel/"),
                {"cancelled_by": "clinic", "cancel_reason": "Again", "version": appointment.version},
            )

            assert row(appointment) == before
            assert codes_at(response, "__all__") == ["transition"]


def test_cancel_of_an_outdated_version_is_refused(at_desk, now, appointment, okafor):
    seen = appointment.version
    now.shift(60)
    actions.move(appointment, doctor=okafor, start_time=at(11), duration_minutes=30, by=None)
    before = row(appointment)

    response = at_desk.post(
        address(appointment, "cancel/"), {"cancelled_by": "patient", "cancel_reason": "Feels better", "version": seen}
    )

    assert codes_at(response, "__all__") == ["stale"]
    assert response.context["history"][0].what == [
        "Moved from Tue 24 Nov 2026 10:00 to Tue 24 Nov 2026 11:00",
    ]
    assert 'aria-label="Latest changes"' in response.content.decode()
    assert response.context["form"]["cancel_reason"].value() == "Feels better"
    assert row(appointment) == before


def test_quick_reason_sets_who_cancelled_and_the_reason(at_desk, appointment, isolated):
    cases = [
        ("patient", "Cannot come"),
        ("patient", "Feels better"),
        ("patient", "Will call again"),
        ("clinic", "Doctor is away"),
        ("clinic", "Booked by mistake"),
    ]
    for who, why in cases:
        with isolated(who=who, why=why):
            page = at_desk.get(address(appointment, "cancel/"))
            assert f'name="quick" value="{who}:{why}"' in markup(page)

            # The button is sent with the current fields: one selected, the reason empty.
            response = at_desk.post(
                address(appointment, "cancel/"),
                {
                    "quick": f"{who}:{why}",
                    "cancelled_by": "patient",
                    "cancel_reason": "",
                    "version": appointment.version,
                },
            )

            assert response["Location"] == day_url(appointment)
            cancelled = fresh(appointment)
            assert (cancelled.status, cancelled.cancelled_by, cancelled.cancel_reason) == ("cancelled", who, why)


def test_unknown_quick_reason_is_ignored(at_desk, appointment, isolated):
    for quick in ["", "nonsense", "patient:", ":", "\0"]:
        with isolated(quick=quick):
            form_data = {
                "quick": quick,
                "cancelled_by": "clinic",
                "cancel_reason": "Doctor ill",
                "version": appointment.version,
            }

            response = at_desk.post(address(appointment, "cancel/"), form_data)

            assert response.status_code == 302
            cancelled = fresh(appointment)
            assert (cancelled.cancelled_by, cancelled.cancel_reason) == ("clinic", "Doctor ill")


def test_quick_reason_is_checked_by_the_same_rules(at_desk, appointment, isolated):
    cases = [
        ("weather:Snow", "cancelled_by", "invalid_choice"),
        (":Snow", "cancelled_by", "required"),
        ("patient: ", "cancel_reason", "required"),
        ("patient:" + "x" * 201, "cancel_reason", "max_length"),
    ]
    for quick, field, code in cases:
        with isolated(quick=quick, field=field, code=code):
            before = row(appointment)

            response = at_desk.post(address(appointment, "cancel/"), {"quick": quick, "version": appointment.version})

            assert codes_at(response, field) == [code]
            assert row(appointment) == before


def test_quick_reason_for_an_outdated_version_is_refused(at_desk, appointment, okafor):
    seen = appointment.version
    actions.move(appointment, doctor=okafor, start_time=at(11), duration_minutes=30, by=None)

    response = at_desk.post(address(appointment, "cancel/"), {"quick": "patient:Cannot come", "version": seen})

    assert codes_at(response, "__all__") == ["stale"]
    assert row(appointment)["status"] == "booked"


def test_cancellation_can_be_undone_from_its_message(at_desk, appointment):
    quick = {"quick": "patient:Cannot come", "version": appointment.version}
    response = at_desk.post(address(appointment, "cancel/"), quick, follow=True)
    appointment.refresh_from_db()
    button = f'formaction="{address(appointment, "undo/")}" name="version" value="{appointment.version}"'
    assert button in str(*response.context["messages"])

    at_desk.post(address(appointment, "undo/"), {"version": appointment.version})

    assert row(appointment)["status"] == "booked"


# Move


@pytest.fixture
def wanted(appointment):
    """The data of a move to 11:00, for 60 minutes."""
    return {
        "doctor": str(appointment.doctor_id),
        "date": "2026-11-24",
        "time": "11:00",
        "which": "",
        "duration_minutes": "60",
        "version": str(appointment.version),
    }


def test_move_form_shows_current_values(at_desk, appointment):
    form = at_desk.get(address(appointment, "move/")).context["form"]

    assert [form[name].value() for name in ("doctor", "date", "time", "duration_minutes", "version")] == [
        appointment.doctor_id,
        dt.date(2026, 11, 24),
        dt.time(10, 0),
        30,
        appointment.version,
    ]


def test_move_form_is_filled_in_from_the_url(at_desk, appointment):
    form = at_desk.get(address(appointment, "move/"), {"date": "2026-11-26", "time": "x"}).context["form"]

    assert (form["date"].value(), form["time"].value()) == (dt.date(2026, 11, 26), dt.time(10, 0))


def test_move_keeps_the_row_and_changes_time_length_and_doctor(at_desk, receptionist, appointment, wanted):
    lindgren = DoctorFactory(full_name="Dr Lindgren")

    response = at_desk.post(address(appointment, "move/"), wanted | {"doctor": lindgren.pk})

    assert response["Location"] == day_url(appointment)
    appointment.refresh_from_db()
    assert (appointment.doctor, appointment.start_time, appointment.end_time) == (lindgren, at(11), at(12))
    assert Appointment.objects.count() == 1
    entry = entries(appointment).latest("pk")
    assert entry.actor == receptionist
    assert set(entry.changes_dict) == {"doctor", "start_time", "duration_minutes"}


def test_move_may_overlap_the_old_time(at_desk, appointment, wanted):
    response = at_desk.post(address(appointment, "move/"), wanted | {"time": "10:15", "duration_minutes": "30"})

    assert response.status_code == 302
    assert row(appointment)["start_time"] == at(10, 15)


def test_taking_a_free_time_fills_in_the_move_form(at_desk, appointment, wanted):
    before = row(appointment)

    response = at_desk.post(
        address(appointment, "move/"), wanted | {"take": f"doctor={appointment.doctor_id}&date=2026-11-26&time=14%3A00"}
    )

    form = response.context["form"]
    assert (form["date"].value(), form["time"].value()) == ("2026-11-26", "14:00:00")
    assert form["duration_minutes"].value() == "60"
    assert form["version"].value() == str(appointment.version)
    assert row(appointment) == before


def test_move_is_refused_at_its_field(at_desk, appointment, wanted, isolated):
    cases = [
        ({"time": "08:59"}, "time", "past"),
        ({"time": "09:00"}, "time", "past"),
        ({"duration_minutes": "14"}, "duration_minutes", "duration"),
        ({"duration_minutes": "181"}, "duration_minutes", "duration"),
        ({"doctor": "999"}, "doctor", "invalid_choice"),
        ({"doctor": ""}, "doctor", "required"),
        ({"date": "2026-02-30"}, "date", "invalid"),
        ({"date": "0001-01-01"}, "date", "date_range"),
        ({"date": "9999-12-31"}, "date", "date_range"),
        ({"date": "2027-03-28", "time": "01:30"}, "time", "no_such_time"),
        ({"date": "2027-10-31", "time": "01:30"}, "which", "ambiguous_time"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            before = row(appointment)

            response = at_desk.post(address(appointment, "move/"), wanted | changes)

            assert codes_at(response, field) == [code]
            form = response.context["form"]
            assert {name: str(form[name].value()) for name in wanted} == wanted | changes
            assert row(appointment) == before


def undo_of(response):
    """Return the address and the value of the Undo button in the message after a move."""
    ((url, value),) = [
        (attrs["formaction"], attrs["value"])
        for tag, attrs in elements(response)
        if tag == "button" and attrs.get("form") == "act" and attrs.get("name") == "at"
    ]
    return url, {"at": value}


def test_move_is_undone_by_its_button(at_desk, appointment, wanted, okafor):
    before = row(appointment)
    day = at_desk.post(address(appointment, "move/"), wanted | {"doctor": DoctorFactory().pk}, follow=True)
    moved = row(appointment)

    at_desk.post(*undo_of(day))

    slot = ("doctor_id", "start_time", "end_time", "duration_minutes")
    assert (
        [row(appointment)[name] for name in slot] == [before[name] for name in slot] != [moved[name] for name in slot]
    )


def test_move_is_not_undone_after_another_change(at_desk, appointment, wanted):
    day = at_desk.post(address(appointment, "move/"), wanted, follow=True)
    actions.mark_arrived(appointment, by=None)
    before = row(appointment)

    response = at_desk.post(*undo_of(day))

    assert codes_at(response, "__all__") == ["stale"]
    assert row(appointment) == before


def test_move_from_a_past_time_offers_no_undo(at_desk, okafor):
    late = create_appointment("booked", start_time=at(8, 45), doctor=okafor)
    slot = {"doctor": okafor.pk, "date": "2026-11-24", "time": "15:00", "duration_minutes": 30}

    day = at_desk.post(address(late, "move/"), slot | {"version": late.version}, follow=True)

    assert "Moved:" in day.content.decode()
    assert not [attrs for tag, attrs in elements(day) if tag == "button" and attrs.get("name") == "at"]


def test_move_without_hidden_fields_shows_an_error_and_can_be_sent_again(at_desk, appointment, wanted, isolated):
    for changes in [{"version": ""}, {"version": "x"}, {"next": "a\0b"}, {"which": "5"}]:
        with isolated(changes=changes):
            before = row(appointment)

            response = at_desk.post(address(appointment, "move/"), wanted | changes)

            assert codes_at(response, "__all__") == ["incomplete"]
            assert "This form was incomplete. Send it again." in response.content.decode()
            assert row(appointment) == before
            form = response.context["form"]
            at_desk.post(
                address(appointment, "move/"), {name: form[name].value() or "" for name in (*wanted, "next", "which")}
            )
            assert row(appointment) != before


def test_cancelled_appointment_is_not_reported_as_still_booked(at_desk, okafor, isolated):
    for status in ["cancelled", "no_show", "completed", "in_consultation"]:
        with isolated(status=status):
            appointment = create_appointment(status, start_time=at(15), doctor=okafor)
            slot = {"doctor": okafor.pk, "date": "2026-11-24", "time": "15:00", "duration_minutes": 30}

            response = at_desk.post(address(appointment, "move/"), slot | {"version": appointment.version})

            assert response.status_code == 200
            assert "is already booked" not in response.content.decode()
            assert response.context["form"].errors


@pytest.mark.both_databases
def test_move_overlapping_another_is_refused_with_nearby_times(at_desk, appointment, okafor, wanted, isolated):
    cases = [
        (at(11), 60, {}),
        (at(10, 45), 30, {}),
        (at(11, 45), 30, {}),
        (at(11, 30), 15, {}),
        (at(10, 30), 180, {}),
        (at(11, 59), 15, {}),
    ]
    for other, minutes, changes in cases:
        with isolated(other=other, minutes=minutes, changes=changes):
            AppointmentFactory(doctor=okafor, start_time=other, duration_minutes=minutes)
            before = row(appointment)

            response = at_desk.post(address(appointment, "move/"), wanted | changes)

            assert codes_at(response, "time") == ["doctor_overlap"]
            assert response.context["nearest"]
            assert response.context["form"]["time"].value() == "11:00"
            assert row(appointment) == before


@pytest.mark.both_databases
def test_move_overlapping_another_of_the_patient_is_refused(at_desk, appointment, wanted):
    AppointmentFactory(patient=appointment.patient, start_time=at(11, 30))

    response = at_desk.post(address(appointment, "move/"), wanted)

    assert codes_at(response, "time") == ["patient_overlap"]
    assert row(appointment)["start_time"] == at(10)


def test_move_to_an_inactive_doctor_is_refused(at_desk, appointment, wanted):
    away = DoctorFactory(is_active=False)

    response = at_desk.post(address(appointment, "move/"), wanted | {"doctor": away.pk})

    assert codes_at(response, "doctor") == ["inactive"]
    assert row(appointment)["doctor_id"] == appointment.doctor_id


def test_move_of_a_finished_appointment_is_refused(at_desk, wanted, isolated):
    for status in ["in_consultation", "completed", "no_show", "cancelled"]:
        with isolated(status=status):
            appointment = create_appointment(status)
            before = row(appointment)

            response = at_desk.post(
                address(appointment, "move/"),
                wanted
                | {
                    "version": appointment.version,
                    "doctor": appointment.doctor_id,
                    "time": "15:00",
                    "duration_minutes": "30",
                },
            )

            assert codes_at(response, "time") == ["not_movable"]
            assert row(appointment) == before


def test_move_of_an_outdated_version_is_refused(at_desk, now, appointment, wanted):
    now.shift(60)
    actions.cancel(appointment, reason="Feels better", cancelled_by="patient", by=None)
    before = row(appointment)

    response = at_desk.post(address(appointment, "move/"), wanted)

    assert codes_at(response, "__all__") == ["stale"]
    assert "Booked → Cancelled" in response.context["history"][0].what
    assert 'aria-label="Latest changes"' in response.content.decode()
    form = response.context["form"]
    form_data = {name: str(form[name].value()) for name in wanted}
    assert form_data == wanted | {"version": str(before["version"])}  # sent again, it is accepted
    assert row(appointment) == before


def test_form_does_not_open_for_a_finished_appointment(at_desk, isolated):
    for page in ["move/", "cancel/"]:
        for status in ["in_consultation", "completed", "no_show", "cancelled"]:
            with isolated(page=page, status=status):
                appointment = create_appointment(status)

                response = at_desk.get(address(appointment, page))

                assert response["Location"] == address(appointment)


@pytest.mark.both_databases
def test_move_to_the_second_of_two_repeated_times(at_desk, appointment, wanted):
    at_desk.post(address(appointment, "move/"), wanted | {"date": "2027-10-31", "time": "01:30", "which": "1"})

    assert row(appointment)["start_time"] == dt.datetime(2027, 10, 31, 1, 30, tzinfo=dt.UTC)


def test_move_form_at_a_repeated_time_shows_which_one(at_desk):
    appointment = AppointmentFactory(start_time=dt.datetime(2027, 10, 31, 1, 30, tzinfo=dt.UTC))
    form = at_desk.get(address(appointment, "move/")).context["form"]

    response = at_desk.post(
        address(appointment, "move/"),
        {name: form[name].value() or "" for name in form.fields} | {"duration_minutes": "45"},
    )

    assert response.status_code == 302
    appointment.refresh_from_db()
    assert (appointment.start_time, appointment.duration_minutes) == (
        dt.datetime(2027, 10, 31, 1, 30, tzinfo=dt.UTC),
        45,
    )


def test_hostile_next_redirects_to_the_appointment(at_desk, appointment, isolated):
    for next_page in ["foo", "?x", "login", "//evil.example", "https://evil.example/", "javascript:1"]:
        with isolated(next_page=next_page):
            response = at_desk.post(
                address(appointment, "arrive/"), {"version": appointment.version, "next": next_page}
            )

            assert response["Location"] == address(appointment)


def test_undo_is_not_offered_when_refused_by_the_rules(at_desk):
    appointment = create_appointment("booked", start_time=YESTERDAY)

    response = at_desk.post(
        address(appointment, "cancel/"),
        {"cancelled_by": "clinic", "cancel_reason": "Flooded", "version": appointment.version},
        follow=True,
    )

    (message,) = response.context["messages"]
    assert "cancelled" in str(message)
    assert "Undo" not in str(message)


def test_move_to_the_current_time_changes_nothing(at_desk, appointment, okafor):
    before = row(appointment)

    response = at_desk.post(
        address(appointment, "move/"),
        {
            "doctor": okafor.pk,
            "date": "2026-11-24",
            "time": "10:00",
            "duration_minutes": 30,
            "version": appointment.version,
            "move_reason": "None",
        },
        follow=True,
    )

    assert levels(response) == ["info"]
    assert row(appointment) == before


@pytest.mark.both_databases
def test_move_sent_twice_is_one_move(at_desk, appointment, okafor):
    form_data = {"at": f"doctor={okafor.pk}&date=2026-11-24&time=14:00", "version": appointment.version}
    at_desk.post(address(appointment, "move/"), form_data)
    once = row(appointment)

    response = at_desk.post(address(appointment, "move/"), form_data, follow=True)

    assert "error" not in levels(response)
    assert row(appointment) == once


def test_reason_of_a_move_is_shown_in_the_history(at_desk, appointment, okafor):
    slot = f"doctor={okafor.pk}&date=2026-11-24&time="
    at_desk.post(
        address(appointment, "move/"),
        {"at": f"{slot}14:00", "version": appointment.version, "move_reason": "Train  late"},
    )
    appointment.refresh_from_db()
    at_desk.post(address(appointment, "move/"), {"at": f"{slot}15:00", "version": appointment.version})

    history = at_desk.get(address(appointment)).context["history"]

    assert [("Why: Train late" in entry.what) for entry in history] == [False, True, False]
