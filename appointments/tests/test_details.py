"""What is changed in the page of an appointment and its panel: reason, notes, length and the wrong patient."""

import datetime as dt

import pytest

from appointments.booking import actions
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.kit import at, codes_at, fresh
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

LATER, EARLIER, YESTERDAY = at(10), at(8), at(10, day=23)
STATUSES = {
    "booked": {},
    "arrived": {"arrived_at": EARLIER},
    "in_consultation": {"arrived_at": EARLIER, "started_at": EARLIER},
    "completed": {"arrived_at": EARLIER, "started_at": EARLIER, "completed_at": EARLIER},
    "no_show": {},
    "cancelled": {"cancelled_at": EARLIER, "cancelled_by": "patient", "cancel_reason": "Ill"},
}
PANEL = {"HX-Request": "true", "HX-Target": "appointment-panel"}


@pytest.fixture
def appointment(okafor, maria):
    """Half an hour from 10:00 today."""
    return AppointmentFactory(doctor=okafor, patient=maria, reason="Sore knee", notes="Ground floor")


def page(appointment, path=""):
    return f"/appointments/{appointment.pk}/{path}"


def form_of(appointment, **changes):
    """Return what the form of the page sends, with these fields changed."""
    shown = {name: getattr(appointment, name) for name in ("reason", "notes", "duration_minutes")}
    return shown | {"seen_details": actions.state_of_details(appointment), "next": ""} | changes


def details(appointment):
    stored = fresh(appointment)
    return stored.reason, stored.notes, stored.duration_minutes


def last_changes(appointment):
    return AuditEntry.objects.get_for_object(appointment).writes().order_by("pk").last().changes_dict


# Reason, notes and length


@pytest.mark.both_databases
def test_details_are_changed_in_every_status(at_desk, isolated):
    for status, stamps in STATUSES.items():
        with isolated(status=status):
            appointment = AppointmentFactory(status=status, start_time=EARLIER, **stamps)
            sent = form_of(appointment, reason=" Cough,  3 weeks ", notes="Sister drives", duration_minutes="45")

            response = at_desk.post(page(appointment), sent)

            assert response.url == page(appointment)
            assert details(appointment) == ("Cough, 3 weeks", "Sister drives", 45)
            assert fresh(appointment).end_time == EARLIER + dt.timedelta(minutes=45)
            assert fresh(appointment).status == status


def test_saved_details_return_to_the_page_of_the_form(at_desk, appointment):
    url = f"/schedule/2026-11-24/?doctor={appointment.doctor_id}&open={appointment.pk}"

    response = at_desk.post(page(appointment), form_of(appointment, reason="Cough", next=url))

    assert response.url == url


def test_audit_trail_has_only_what_was_changed(at_desk, appointment):
    at_desk.post(page(appointment), form_of(appointment, notes="Needs a lift"))

    assert last_changes(appointment) == {"notes": ["Ground floor", "Needs a lift"]}


def test_sending_the_details_unchanged_changes_nothing(at_desk, appointment):
    at_desk.post(page(appointment), form_of(appointment))

    assert fresh(appointment).version == appointment.version


def test_empty_length_keeps_the_present_one(at_desk, appointment):
    at_desk.post(page(appointment), form_of(appointment, duration_minutes="", reason="Cough"))

    assert details(appointment) == ("Cough", "Ground floor", 30)


@pytest.mark.both_databases
def test_refused_details_are_shown_at_their_field_as_typed(at_desk, appointment, okafor, isolated):
    AppointmentFactory(doctor=okafor, start_time=at(10, 45))
    cases = [
        ("duration_minutes", "14", "duration"),
        ("duration_minutes", "181", "duration"),
        ("duration_minutes", "60", "doctor_overlap"),
        ("duration_minutes", "ten", "invalid"),
        ("reason", "x" * 201, "max_length"),
        ("notes", "x" * 2001, "max_length"),
    ]
    for field, value, code in cases:
        with isolated(field=field, value=value[:10]):
            before = details(appointment)
            typed = {"reason": "Cough", "notes": "Needs a lift", field: value}

            response = at_desk.post(page(appointment), form_of(appointment, **typed))

            assert codes_at(response, field) == [code]
            assert response.context["form"]["notes"].value() == typed["notes"]
            assert details(appointment) == before


def test_length_touching_the_next_appointment_is_allowed(at_desk, appointment, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(10, 45))

    at_desk.post(page(appointment), form_of(appointment, duration_minutes="45"))

    assert fresh(appointment).duration_minutes == 45


@pytest.mark.both_databases
def test_details_changed_meanwhile_are_shown_and_can_be_replaced(at_desk, appointment):
    sent = form_of(appointment, notes="Mine")
    actions.edit_details(appointment, notes="Theirs", by=None)

    refused = at_desk.post(page(appointment), sent)
    again = refused.context["form"]

    assert again.non_field_errors()
    assert (again["notes"].value(), refused.context["appointment"].notes) == ("Mine", "Theirs")
    assert "Theirs" in refused.content.decode()
    at_desk.post(page(appointment), sent | {"seen_details": again["seen_details"].value()})
    assert fresh(appointment).notes == "Mine"


def test_arrival_meanwhile_does_not_refuse_the_details(at_desk, appointment, receptionist):
    sent = form_of(appointment, notes="Mine")
    actions.mark_arrived(appointment, by=receptionist)

    at_desk.post(page(appointment), sent)

    assert (fresh(appointment).notes, fresh(appointment).status) == ("Mine", "arrived")


def test_nothing_is_written_about_an_anonymised_patient(at_desk):
    appointment = AppointmentFactory(start_time=YESTERDAY, status="completed")
    appointment.patient.anonymised_at = at(8)
    appointment.patient.save()

    response = at_desk.post(page(appointment), form_of(appointment, notes="Somebody"))

    assert codes_at(response, "notes") == ["anonymised"]
    assert "<textarea" not in at_desk.get(page(appointment)).content.decode()


def test_doctor_reads_the_details_but_cannot_change_them(client, doctor_user):
    appointment = AppointmentFactory(doctor=DoctorFactory(user=doctor_user), notes="Ground floor")
    client.force_login(doctor_user)

    assert "Ground floor" in client.get(page(appointment)).content.decode()
    assert client.post(page(appointment), form_of(appointment, notes="x")).status_code == 403


# The panel


def test_panel_is_only_the_part_beside_the_schedule(at_desk, appointment):
    schedule = f"/schedule/2026-11-24/?doctor={appointment.doctor_id}"

    response = at_desk.get(page(appointment), {"next": f"{schedule}&open={appointment.pk}"}, headers=PANEL)

    text = response.content.decode()
    assert "<html" not in text
    assert f'data-appointment="{appointment.pk}"' in text
    assert response.context["close_url"] == f"{schedule}#v{appointment.pk}"
    assert response.context["panel_url"] == f"{schedule}&open={appointment.pk}"


def test_saving_in_the_panel_answers_with_the_panel(at_desk, appointment):
    response = at_desk.post(page(appointment), form_of(appointment, reason="Cough"), headers=PANEL)

    assert response.status_code == 200
    assert response.context["has_saved"]
    assert fresh(appointment).reason == "Cough"


def test_address_of_a_day_opens_the_panel(at_desk, appointment):
    response = at_desk.get("/schedule/2026-11-24/", {"open": appointment.pk})

    assert response.context["appointment"] == appointment
    assert response.context["panel_url"] == f"/schedule/2026-11-24/?open={appointment.pk}"
    assert AuditEntry.objects.get_for_object(appointment).filter(action=AuditEntry.Action.ACCESS).count() == 1


def test_panel_opens_only_what_the_user_may_see(client, doctor_user, appointment, isolated):
    client.force_login(doctor_user)
    for asked in [appointment.pk, 999, "x", "9" * 30]:
        with isolated(asked=asked):
            response = client.get("/schedule/2026-11-24/", {"open": asked})

            assert response.status_code == 200
            assert "Maria" not in response.content.decode()


@pytest.mark.both_databases
def test_panel_makes_few_queries_whatever_the_history(at_desk, appointment, maria, django_assert_max_num_queries):
    at_desk.get(page(appointment), headers=PANEL)
    for day in range(1, 20):
        AppointmentFactory(patient=maria, start_time=at(8, day=day), status="no_show")
        AppointmentFactory(patient=maria, start_time=at(8, day=24) + dt.timedelta(days=day))
    for number in range(20):
        actions.edit_details(appointment, notes=f"Note {number}", by=None)

    with django_assert_max_num_queries(14):
        response = at_desk.get(page(appointment), headers=PANEL)

    assert len(response.content) < 15_000


def test_panel_shows_the_next_and_last_appointments(at_desk, appointment, maria):
    coming = [AppointmentFactory(patient=maria, start_time=at(8, day=day)) for day in (25, 26, 27)]
    past = [AppointmentFactory(patient=maria, start_time=at(8, day=day), status="completed") for day in (9, 10, 11, 12)]
    AppointmentFactory(patient=maria, start_time=at(12, day=25), **STATUSES["cancelled"], status="cancelled")

    others = at_desk.get(page(appointment)).context["others"]

    assert others == [coming[1], coming[0], past[3], past[2], past[1]]


def test_doctor_sees_only_own_appointments_of_the_patient(client, doctor_user, maria):
    own = DoctorFactory(user=doctor_user)
    appointment = AppointmentFactory(doctor=own, patient=maria)
    earlier = AppointmentFactory(doctor=own, patient=maria, start_time=at(8, day=12), status="no_show")
    AppointmentFactory(patient=maria, start_time=at(8, day=13), status="no_show")
    client.force_login(doctor_user)

    context = client.get(page(appointment)).context

    assert context["others"] == [earlier]
    assert context["attendance"] is None


# Another length, by key or mouse


def test_length_is_changed_and_can_be_changed_back(at_desk, appointment):
    at_desk.post(page(appointment, "length/45/"), {"version": appointment.version})
    changed = fresh(appointment)
    at_desk.post(page(appointment, "length/30/"), {"version": changed.version})

    assert (changed.duration_minutes, fresh(appointment).duration_minutes) == (45, 30)


def test_length_is_refused_with_a_message(at_desk, appointment, okafor, isolated):
    AppointmentFactory(doctor=okafor, start_time=at(10, 30))
    for minutes, version in [(35, appointment.version), (10, appointment.version), (20, appointment.version + 1)]:
        with isolated(minutes=minutes, version=version):
            response = at_desk.post(page(appointment, f"length/{minutes}/"), {"version": version}, follow=True)

            assert [message.level_tag for message in response.context["messages"]] == ["error"]
            assert fresh(appointment).duration_minutes == 30


# The wrong patient


def exchange(appointment, patient, **changes):
    return {
        "pick": patient.pk,
        "version": appointment.version,
        "exchange_reason": "Same name",
        "patient_query": "",
        "next": "",
    } | changes


@pytest.mark.both_databases
def test_appointment_is_given_to_the_right_patient(at_desk, isolated, maria):
    right = PatientFactory()
    for status in ["booked", "arrived"]:
        with isolated(status=status):
            appointment = AppointmentFactory(status=status, start_time=EARLIER, patient=maria, **STATUSES[status])

            at_desk.post(page(appointment, "patient/"), exchange(appointment, right))

            stored = fresh(appointment)
            assert (stored.patient, stored.status, stored.arrived_at) == (right, status, appointment.arrived_at)
            entry = AuditEntry.objects.get_for_object(appointment).writes().order_by("pk").last()
            assert entry.changes_dict == {"patient": [str(maria.pk), str(right.pk)]}
            assert entry.additional_data["reason"] == "Same name"


@pytest.mark.both_databases
def test_both_patients_are_locked_for_the_exchange(at_desk, appointment, maria):
    right = PatientFactory()
    before = maria.diary_version, right.diary_version

    at_desk.post(page(appointment, "patient/"), exchange(appointment, right))

    assert fresh(maria).diary_version > before[0]
    assert fresh(right).diary_version > before[1]


@pytest.mark.both_databases
def test_exchange_is_refused_where_the_right_patient_is_busy(at_desk, appointment, maria):
    right = AppointmentFactory(start_time=at(10, 15)).patient

    response = at_desk.post(page(appointment, "patient/"), exchange(appointment, right))

    assert [error.code for error in response.context["form"].non_field_errors().as_data()] == ["patient_overlap"]
    assert fresh(appointment).patient == maria


def test_exchange_is_refused_in_a_final_status(at_desk, isolated, maria):
    right = PatientFactory()
    for status in ["in_consultation", "completed", "no_show", "cancelled"]:
        with isolated(status=status):
            appointment = AppointmentFactory(status=status, start_time=EARLIER, patient=maria, **STATUSES[status])

            response = at_desk.post(page(appointment, "patient/"), exchange(appointment, right))

            assert [error.code for error in response.context["form"].non_field_errors().as_data()] == ["not_movable"]
            assert fresh(appointment).patient == maria
            assert at_desk.get(page(appointment, "patient/")).url == page(appointment)


def test_exchange_needs_a_reason_and_the_version_shown(at_desk, appointment, maria):
    right = PatientFactory()

    without_reason = at_desk.post(page(appointment, "patient/"), exchange(appointment, right, exchange_reason=" "))
    outdated = at_desk.post(page(appointment, "patient/"), exchange(appointment, right, version=7))

    assert codes_at(without_reason, "exchange_reason") == ["required"]
    assert outdated.context["form"].has_error("__all__", "stale")
    assert fresh(appointment).patient == maria


def test_exchange_can_be_undone(at_desk, appointment, maria):
    right = PatientFactory()
    at_desk.post(page(appointment, "patient/"), exchange(appointment, right))
    undo = {"undo": f"{maria.pk}:{fresh(appointment).version}", "next": "/schedule/"}

    response = at_desk.post(page(appointment, "patient/"), undo)

    assert response.url == "/schedule/"
    assert fresh(appointment).patient == maria


def test_exchange_with_the_same_patient_changes_nothing(at_desk, appointment, maria):
    at_desk.post(page(appointment, "patient/"), exchange(appointment, maria))

    assert fresh(appointment).version == appointment.version


def test_patients_are_found_for_the_exchange(at_desk, appointment):
    right = PatientFactory(first_name="Marta", last_name="Santos")

    response = at_desk.post(page(appointment, "patient/"), {"patient_query": "marta", "find": "1"})

    assert response.context["matches"] == [right]
    assert fresh(appointment).patient != right


def test_unknown_patient_is_refused(at_desk, appointment):
    response = at_desk.post(page(appointment, "patient/"), exchange(appointment, appointment.patient, pick=9999))

    assert response.context["form"].non_field_errors()


# The mark of notes


def test_notes_are_marked_for_who_sees_names(client, at_desk, manager, appointment, isolated):
    AppointmentFactory(doctor=appointment.doctor, start_time=at(11), notes="")
    places = ["/schedule/2026-11-24/", "/schedule/2026-11-24/?layout=list", "/doctors/{}/week/2026-11-24/"]
    for place in places:
        with isolated(place=place):
            url = place.format(appointment.doctor_id)

            assert at_desk.get(url).content.decode().count('class="noted"') == 1
            client.force_login(manager)
            assert client.get(url).content.decode().count('class="noted"') == 0


def test_printed_sheet_marks_notes(at_desk, appointment):
    AppointmentFactory(doctor=appointment.doctor, start_time=at(11), notes="")

    assert at_desk.get("/schedule/2026-11-24/print/").content.decode().count("(has notes)") == 1


# Leaving a form


def test_leaving_a_form_leads_back_to_where_it_was_opened(at_desk, appointment, isolated):
    pk, day = appointment.pk, "/schedule/2026-11-24/"
    week = f"/doctors/{appointment.doctor_id}/week/2026-11-24/"
    cases = [
        ("", page(appointment)),
        (f"{day}?layout=list&open={pk}", f"{day}?layout=list&open={pk}"),
        (f"{week}?open={pk}", f"{week}?open={pk}"),
        ("https://example.org/", f"{day}?open={pk}"),
    ]
    for form in ["cancel/", "move/", "patient/"]:
        for origin, expected in cases:
            with isolated(form=form, origin=origin):
                response = at_desk.get(page(appointment, form), {"from": origin})

                assert response.context["back_url"] == expected
