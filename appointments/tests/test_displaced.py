"""Appointments displaced by a change of availability, and the times proposed for them."""

import datetime as dt
from itertools import pairwise

import pytest

from appointments.booking import actions
from appointments.displaced.finder import (
    follow_up,
    obstacles_to,
    open_schedule_change,
    unfinished_for,
)
from appointments.displaced.proposals import Proposal, propose
from appointments.models import Appointment, ScheduleChange
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.models import AuditEntry
from doctors.displacement import displaced_by_deleting, displaced_by_saving
from doctors.models import Closure, Doctor, Leave, Timetable
from doctors.tests.factories import DoctorFactory, LeaveFactory, TimetableFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

EIGHT, NOON, ONE, FIVE = dt.time(8), dt.time(12), dt.time(13), dt.time(17)
WEEK = {day: [(EIGHT, NOON), (ONE, FIVE)] for day in range(5)}


@pytest.fixture
def okafor():
    doctor = DoctorFactory(full_name="Dr Okafor")
    TimetableFactory(doctor=doctor)
    return doctor


def create_appointment(doctor, start_time, **details):
    return AppointmentFactory(doctor=doctor, start_time=start_time, **details)


def leave(doctor, start_time, end_time, **details):
    return Leave(doctor=doctor, start_time=start_time, end_time=end_time, reason="Ill", **details)


def book_many(doctor, rows):
    """Return appointments of a quarter of an hour, nine a day, a day a week."""
    places = [divmod(number, 9) for number in range(rows)]
    starts = [at(8, day=25) + dt.timedelta(days=7 * week, minutes=15 * place) for week, place in places]
    return [create_appointment(doctor, start, duration_minutes=15) for start in starts]


# Leave


@pytest.mark.both_databases
def test_leave_affects_overlapping_appointments(okafor, isolated):
    cases = [
        (at(9, 29, day=25), False),
        (at(9, 30, day=25), False),
        (at(9, 31, day=25), True),
        (at(10, day=25), True),
        (at(10, 59, day=25), True),
        (at(11, day=25), False),
    ]
    for starts, is_affected in cases:
        with isolated(starts=starts, is_affected=is_affected):
            booked = create_appointment(okafor, starts)

            assert displaced_by_saving(leave(okafor, at(10, day=25), at(11, day=25))) == (
                [booked] if is_affected else []
            )


def test_leave_displaces_appointments_of_its_doctor_soonest_first(okafor):
    later, sooner = create_appointment(okafor, at(15, day=25)), create_appointment(okafor, at(9, day=25))
    create_appointment(DoctorFactory(), at(9, day=25))

    assert displaced_by_saving(leave(okafor, at(0, day=25), at(0, day=26))) == [sooner, later]


def test_appointment_that_cannot_be_moved_is_not_affected(okafor, isolated):
    for status in ["cancelled", "no_show", "completed", "in_consultation"]:
        with isolated(status=status):
            create_appointment(okafor, at(10, day=25), status=status, cancelled_by="patient", cancel_reason="Ill")

            assert displaced_by_saving(leave(okafor, at(0, day=25), at(0, day=26))) == []


def test_waiting_patient_is_affected(okafor):
    waiting = create_appointment(okafor, at(8, 45, day=24), status="arrived", arrived_at=at(8, 40, day=24))

    assert displaced_by_saving(leave(okafor, at(8, 30, day=24), at(17, day=24))) == [waiting]


def test_patient_waiting_beyond_the_appointment_is_affected(okafor):
    waiting = create_appointment(okafor, at(8, 15, day=24), status="arrived", arrived_at=at(8, 10, day=24))

    assert displaced_by_saving(leave(okafor, at(0, day=24), at(0, day=25))) == [waiting]


def test_past_appointment_is_not_affected(okafor):
    create_appointment(okafor, at(8, 15, day=24))

    assert displaced_by_saving(leave(okafor, at(8, day=24), at(17, day=24))) == []


def test_extended_leave_displaces_only_appointments_in_the_added_part(okafor):
    create_appointment(okafor, at(9, day=26))
    entered = LeaveFactory(doctor=okafor, start_time=at(0, day=26), end_time=at(0, day=27))
    affected = create_appointment(okafor, at(9, day=27))
    entered.end_time = at(0, day=28)

    assert displaced_by_saving(entered) == [affected]


def test_leave_displaces_appointments_booked_outside_hours(okafor):
    evening = create_appointment(okafor, at(18, day=25), outside_hours_reason="Only time he can come")

    assert displaced_by_saving(leave(okafor, at(0, day=25), at(0, day=26))) == [evening]


def test_check_saves_nothing_and_leaves_the_record_unsaved(okafor):
    create_appointment(okafor, at(10, day=25))
    entries = AuditEntry.objects.count()
    wanted = leave(okafor, at(0, day=25), at(0, day=26))

    displaced_by_saving(wanted)

    assert (Leave.objects.count(), ScheduleChange.objects.count(), AuditEntry.objects.count()) == (0, 0, entries)
    assert (wanted.pk, wanted.version, wanted._state.adding) == (None, 1, True)
    wanted.save()
    assert Leave.objects.count() == 1


@pytest.mark.both_databases
def test_check_locks_the_diary(okafor):
    version = Doctor.objects.get(pk=okafor.pk).diary_version

    displaced_by_saving(leave(okafor, at(0, day=25), at(0, day=26)))

    assert Doctor.objects.get(pk=okafor.pk).diary_version > version


@pytest.mark.both_databases
def test_change_refused_under_the_lock_is_a_lost_race(okafor):
    create_appointment(okafor, at(10, day=25))
    LeaveFactory(doctor=okafor, start_time=at(12, day=25), end_time=at(13, day=25))

    with pytest.raises(LostRace):
        displaced_by_saving(leave(okafor, at(0, day=25), at(0, day=26)))


# Closures, hours, doctors


@pytest.mark.both_databases
def test_closure_affects_every_doctor_on_its_date(okafor):
    affected = [create_appointment(okafor, at(10, day=25)), create_appointment(DoctorFactory(), at(11, day=25))]
    create_appointment(okafor, at(10, day=26))

    assert displaced_by_saving(Closure(date=dt.date(2026, 11, 25), name="Stocktaking")) == affected


def test_shorter_hours_displace_appointments_outside_them(okafor):
    inside, outside = create_appointment(okafor, at(9, day=25)), create_appointment(okafor, at(15, day=25))
    timetable = Timetable.objects.get()
    timetable.week = {day: [(EIGHT, NOON)] for day in range(5)}

    assert displaced_by_saving(timetable) == [outside]
    assert inside not in displaced_by_saving(timetable)
    assert Timetable.objects.get().week == WEEK
    timetable.save()
    assert Timetable.objects.get().week[0] == [(EIGHT, NOON)]


def test_first_hours_of_a_doctor_displace_appointments_outside_them():
    doctor = DoctorFactory()
    outside = create_appointment(doctor, at(12, 15, day=25))
    timetable = Timetable(doctor=doctor)
    timetable.week = WEEK

    assert displaced_by_saving(timetable) == [outside]


def test_deleting_hours_displaces_appointments_on_their_dates(okafor):
    timetable = Timetable.objects.get()
    timetable.valid_until = dt.date(2026, 11, 27)
    timetable.save()
    TimetableFactory(doctor=okafor, valid_from=dt.date(2026, 11, 28))
    affected = create_appointment(okafor, at(9, day=25))
    create_appointment(okafor, at(9, day=30))

    assert displaced_by_deleting(timetable) == [affected]
    assert Timetable.objects.count() == 2


def test_deleting_the_last_hours_displaces_no_appointments(okafor):
    create_appointment(okafor, at(9, day=25))

    assert displaced_by_deleting(Timetable.objects.get()) == []


@pytest.mark.both_databases
def test_deactivation_displaces_all_future_appointments(okafor):
    affected = [create_appointment(okafor, at(9, day=25)), create_appointment(okafor, at(9, day=30))]
    create_appointment(okafor, at(8, day=24))
    okafor.is_active = False

    assert displaced_by_saving(okafor) == affected
    assert Doctor.objects.get(pk=okafor.pk).is_active


def test_check_makes_the_same_queries_for_many_appointments(okafor, django_assert_max_num_queries, isolated):
    for rows in [3, 30]:
        with isolated(rows=rows):
            for number in range(rows):
                create_appointment(
                    okafor,
                    at(8, day=25) + dt.timedelta(days=number // 9 * 7, minutes=15 * (number % 9)),
                    duration_minutes=15,
                )

            with django_assert_max_num_queries(24):
                assert displaced_by_saving(leave(okafor, at(0, day=25), at(0, day=25) + dt.timedelta(days=60)))


def test_obstacles_name_each_reason(okafor):
    booked = create_appointment(okafor, at(16, 45, day=25), outside_hours_reason="Urgent")
    fine = create_appointment(okafor, at(9, day=25))
    LeaveFactory(doctor=okafor, start_time=at(16, day=25), end_time=at(18, day=25))
    Doctor.objects.filter(pk=okafor.pk).update(is_active=False)

    assert obstacles_to([booked, fine]) == {booked.pk: {"hours", "leave", "inactive"}, fine.pk: {"inactive"}}
    assert obstacles_to([]) == {}


# Worklists


def test_worklist_keeps_the_old_doctor_and_time(okafor, administrator):
    booked = create_appointment(okafor, at(9, day=25))

    change = open_schedule_change([booked], cause="Dr Okafor on leave", by=administrator)

    (displacement,) = change.displaced.all()
    assert (displacement.appointment, displacement.doctor, displacement.start_time, displacement.informed_at) == (
        booked,
        okafor,
        at(9, day=25),
        None,
    )
    assert AuditEntry.objects.filter(actor=administrator).count() == 2


def test_change_without_affected_appointments_makes_no_worklist(administrator):
    assert open_schedule_change([], cause="Dr Okafor on leave", by=administrator) is None
    assert not ScheduleChange.objects.exists()


def test_worklist_is_finished_once_all_are_rebooked_and_informed(okafor, receptionist, now):
    moved, cancelled = create_appointment(okafor, at(9, day=25)), create_appointment(okafor, at(10, day=25))
    change = open_schedule_change([moved, cancelled], cause="Dr Okafor on leave", by=receptionist)

    def left():
        return [(each.to_rebook, each.to_inform) for each in unfinished_for(receptionist)]

    assert left() == [(2, 2)]
    actions.move(moved, doctor=okafor, start_time=at(9, day=26), duration_minutes=30, by=receptionist)
    assert left() == [(1, 2)]
    actions.cancel(cancelled, reason="Doctor is away", cancelled_by="clinic", by=receptionist)
    first, second = change.displaced.all()
    first.mark_informed(by=receptionist)
    assert left() == [(0, 1)]
    second.mark_informed(by=receptionist)
    assert left() == []


def test_worklist_with_a_waiting_patient_is_not_finished(okafor, receptionist):
    waiting = create_appointment(okafor, at(8, 15, day=24), status="arrived", arrived_at=at(8, 10, day=24))
    open_schedule_change([waiting], cause="Dr Okafor on leave", by=receptionist)

    assert [(each.to_rebook, each.to_inform) for each in unfinished_for(receptionist)] == [(1, 1)]


@pytest.mark.both_databases
def test_informed_patient_must_be_informed_again_after_another_move(okafor, receptionist):
    booked = create_appointment(okafor, at(9, day=25))
    displacement = open_schedule_change([booked], cause="Dr Okafor on leave", by=receptionist).displaced.get()
    displacement.mark_informed(by=receptionist)

    booked.notes = "Wants the ground floor"
    booked.save()
    displacement.refresh_from_db()
    assert displacement.informed_at is not None
    moved = actions.move(booked, doctor=okafor, start_time=at(9, day=26), duration_minutes=30, by=receptionist)
    displacement.refresh_from_db()
    assert displacement.informed_at is None
    displacement.mark_informed(by=receptionist)
    actions.cancel(moved, reason="Ill", cancelled_by="patient", by=receptionist)
    displacement.refresh_from_db()

    assert displacement.informed_at is None


def test_patient_exchanged_after_the_call_must_be_informed(okafor, receptionist):
    booked = create_appointment(okafor, at(9, day=25))
    displacement = open_schedule_change([booked], cause="Dr Okafor on leave", by=receptionist).displaced.get()
    displacement.mark_informed(by=receptionist)

    actions.exchange_patient(booked, patient=PatientFactory(), reason="Same name", by=receptionist)

    displacement.refresh_from_db()
    assert displacement.informed_at is None


@pytest.mark.both_databases
def test_patient_on_two_worklists_is_informed_once(okafor, receptionist):
    booked = create_appointment(okafor, at(9, day=25))
    first = open_schedule_change([booked], cause="Dr Okafor on leave", by=receptionist)
    actions.move(booked, doctor=okafor, start_time=at(9, day=26), duration_minutes=30, by=receptionist)
    second = open_schedule_change([Appointment.objects.get()], cause="Clinic closed", by=receptionist)

    second.displaced.get().mark_informed(by=receptionist)

    assert first.displaced.get().informed_by == receptionist


@pytest.mark.both_databases
def test_deleting_a_closure_over_a_leave_keeps_the_leaves_list(okafor, receptionist):
    booked = create_appointment(okafor, at(9, day=25))
    wanted = leave(okafor, at(0, day=25), at(0, day=26))
    on_leave = open_schedule_change(displaced_by_saving(wanted), cause=wanted.cause, by=receptionist)
    wanted.save()
    closure = Closure(date=dt.date(2026, 11, 25), name="Strike")
    closed = open_schedule_change(displaced_by_saving(closure), cause=closure.cause, by=receptionist)
    closure.save()
    assert [change.displaced.get().reasons for change in (on_leave, closed)] == ["leave", "closed"]

    closure.delete()
    follow_up([], cause="", doctors=closure.diaries(), by=receptionist)

    assert on_leave.displaced.get().appointment == booked
    assert not closed.displaced.exists()


def test_appointment_booked_in_a_gap_is_affected_by_changed_hours(okafor, receptionist):
    booked = create_appointment(okafor, at(9, day=25), outside_hours_reason="Urgent")
    timetable = Timetable.objects.get()
    timetable.week = {day: [(ONE, FIVE)] for day in range(5)}
    change = open_schedule_change(displaced_by_saving(timetable), cause="Hours", by=receptionist)
    timetable.save()

    follow_up([], cause="", doctors=Doctor.objects.all(), by=receptionist)

    assert change.displaced.get().appointment == booked


def test_shortened_leave_drops_appointments_that_fit_again(okafor, receptionist):
    stays, slot_summary, away = (create_appointment(okafor, at(hour, day=25)) for hour in (9, 10, 15))
    entered = LeaveFactory(doctor=okafor, start_time=at(0, day=25), end_time=at(0, day=26))
    change = open_schedule_change([stays, slot_summary, away], cause="Dr Okafor on leave", by=receptionist)
    change.displaced.get(appointment=slot_summary).mark_informed(by=receptionist)

    entered.start_time = at(12, day=25)
    entered.save()
    follow_up([], cause="", doctors=entered.diaries(), by=receptionist)

    left = change.displaced.order_by("start_time")
    assert [(displacement.appointment, displacement.informed_at, displacement.reinstated) for displacement in left] == [
        (slot_summary, None, True),
        (away, None, False),
    ]
    assert [(each.to_rebook, each.to_inform) for each in unfinished_for(receptionist)] == [(1, 2)]
    change.displaced.get(appointment=slot_summary).mark_informed(by=receptionist)
    assert [(each.to_rebook, each.to_inform) for each in unfinished_for(receptionist)] == [(1, 1)]


@pytest.mark.both_databases
def test_deleted_leave_drops_appointments_booked_outside_hours(okafor, receptionist):
    create_appointment(okafor, at(18, day=25), outside_hours_reason="Only time he can come")
    wanted = leave(okafor, at(0, day=25), at(0, day=26))
    change = open_schedule_change(displaced_by_saving(wanted), cause=wanted.cause, by=receptionist)

    follow_up([], cause="", doctors=Doctor.objects.all(), by=receptionist)

    assert not change.displaced.exists()


def test_worklist_of_a_past_day_is_finished(okafor, receptionist, now):
    open_schedule_change([create_appointment(okafor, at(9, day=25))], cause="Dr Okafor on leave", by=receptionist)

    now.move_to(at(9, day=26))

    assert unfinished_for(receptionist) == []


def test_worklist_is_shown_only_to_users_who_can_change_appointments(okafor, receptionist, manager, doctor_user):
    open_schedule_change([create_appointment(okafor, at(9, day=25))], cause="Dr Okafor on leave", by=receptionist)

    assert len(unfinished_for(receptionist)) == 1
    assert unfinished_for(manager) == unfinished_for(doctor_user) == []


def test_first_user_who_informed_a_patient_is_recorded_and_can_be_undone(okafor, receptionist, administrator):
    change = open_schedule_change(
        [create_appointment(okafor, at(9, day=25))], cause="Dr Okafor on leave", by=receptionist
    )
    displacement = change.displaced.get()

    displacement.mark_informed(by=receptionist)
    displacement.mark_informed(by=administrator)
    displacement.refresh_from_db()
    assert displacement.informed_by == receptionist
    displacement.mark_not_informed()

    assert change.displaced.get().informed_at is None


# Proposals


@pytest.fixture
def away(okafor):
    """The doctor is away on Wednesday 25 November; appointments there are saved before."""

    def away(*appointments):
        LeaveFactory(doctor=okafor, start_time=at(0, day=25), end_time=at(0, day=26))
        return propose(list(appointments))

    return away


def slot_summary(slot):
    return slot and (slot.start.day, slot.time, slot.doctor.full_name)


def test_proposals_are_the_nearest_times_of_the_doctor_and_a_colleague(okafor, away):
    colleague = DoctorFactory(full_name="Dr Lindqvist")
    DoctorFactory(specialization="Cardiology")
    booked = create_appointment(okafor, at(9, day=25))

    proposal = away(booked)[booked.pk]

    assert slot_summary(proposal.same) == (26, "09:00", "Dr Okafor")
    assert slot_summary(proposal.other) == (25, "09:00", colleague.full_name)


def test_no_time_is_proposed_twice(okafor, away):
    DoctorFactory(full_name="Dr Lindqvist")
    appointments = [create_appointment(okafor, at(8, 30 * number, day=25)) for number in (0, 1)] + [
        create_appointment(okafor, at(hour, minute, day=25))
        for hour in (9, 10, 11, 13, 14, 15, 16)
        for minute in (0, 30)
    ]

    proposals = away(*appointments)

    for whose in ("same", "other"):
        spans = sorted(getattr(proposals[each.pk], whose).start for each in appointments)
        assert len(set(spans)) == len(appointments) == 16
        assert all(one + dt.timedelta(minutes=30) <= other for one, other in pairwise(spans))


@pytest.mark.both_databases
def test_all_proposals_can_be_booked_one_after_the_other(okafor, away, receptionist):
    okafor.gap_minutes = 10
    okafor.save()
    appointments = [
        create_appointment(okafor, at(hour, day=25), duration_minutes=20) for hour in (8, 9, 10, 11, 13, 14)
    ]
    create_appointment(okafor, at(9, day=26), duration_minutes=60)

    proposals = away(*appointments)

    for each in appointments:
        slot = proposals[each.pk].same
        actions.move(each, doctor=slot.doctor, start_time=slot.start, duration_minutes=20, by=receptionist)
    assert not Appointment.objects.on_day(dt.date(2026, 11, 25)).exists()


def test_proposals_for_one_patient_can_all_be_booked(okafor, away, receptionist):
    DoctorFactory(full_name="Dr Lindqvist")
    maria = PatientFactory()
    appointments = [
        create_appointment(okafor, at(hour, minute, day=25), patient=maria) for hour, minute in ((9, 0), (9, 30))
    ]

    proposals = away(*appointments)

    for each in appointments:
        slot = proposals[each.pk].other
        actions.move(each, doctor=slot.doctor, start_time=slot.start, duration_minutes=30, by=receptionist)
    assert not Appointment.objects.for_doctor(okafor.pk).exists()


def test_appointments_at_the_same_time_get_different_proposals(okafor):
    DoctorFactory(full_name="Dr Lindqvist")
    doctors = [okafor, *DoctorFactory.create_batch(2)]
    appointments = [create_appointment(doctor, at(9, day=25)) for doctor in doctors]
    for doctor in doctors:
        LeaveFactory(doctor=doctor, start_time=at(0, day=25), end_time=at(0, day=26))

    proposals = propose(appointments)

    assert sorted(slot_summary(proposals[each.pk].other) for each in appointments) == [
        *((25, time, "Dr Lindqvist") for time in ("08:30", "09:00", "09:30")),
    ]


def test_proposals_for_one_patient_do_not_overlap(okafor, away):
    half_an_hour = {day: [(dt.time(8, 30), dt.time(9))] for day in range(5)}
    for doctor in DoctorFactory.create_batch(2):
        TimetableFactory(doctor=doctor, week=half_an_hour)
    maria = PatientFactory()
    appointments = [create_appointment(okafor, at(hour, day=25), patient=maria) for hour in (9, 10)]

    proposals = away(*appointments)

    assert [proposals[each.pk].other.start for each in appointments] == [at(8, 30, day=25), at(8, 30, day=26)]


def test_proposal_lies_in_the_coming_four_weeks(okafor):
    booked, far = (
        create_appointment(okafor, at(9, day=25)),
        create_appointment(okafor, dt.datetime(2027, 3, 3, 9, tzinfo=dt.UTC)),
    )
    LeaveFactory(doctor=okafor, start_time=at(0, day=25), end_time=at(0, day=25) + dt.timedelta(days=60))

    proposals = propose([booked, far])

    assert proposals[booked.pk].same is None
    assert proposals[far.pk].same is not None


def test_proposal_avoids_the_patients_other_appointments(okafor, away):
    maria = PatientFactory()
    booked = create_appointment(okafor, at(9, day=25), patient=maria)
    create_appointment(DoctorFactory(specialization="Cardiology"), at(9, day=26), patient=maria)

    assert slot_summary(away(booked)[booked.pk].same) == (26, "08:30", "Dr Okafor")


def test_arrived_patient_gets_proposals_of_the_same_day_only(okafor):
    DoctorFactory(full_name="Dr Lindqvist")
    waiting = create_appointment(okafor, at(9, 30, day=24), status="arrived", arrived_at=at(8, 40, day=24))
    LeaveFactory(doctor=okafor, start_time=at(9, day=24), end_time=at(0, day=25))

    proposal = propose([waiting])[waiting.pk]

    assert proposal.same is None
    assert slot_summary(proposal.other) == (24, "09:30", "Dr Lindqvist")


def test_no_proposal_without_free_time(okafor):
    booked = create_appointment(okafor, at(9, day=25))
    LeaveFactory(doctor=okafor, start_time=at(0, day=25), end_time=at(0, day=25) + dt.timedelta(days=60))

    assert propose([booked]) == {booked.pk: Proposal(has_colleagues=False)}
    assert propose([]) == {}


def test_inactive_doctor_and_closed_dates_are_not_proposed(okafor):
    booked = create_appointment(okafor, at(9, day=25))
    okafor.is_active = False
    okafor.save()
    DoctorFactory(full_name="Dr Lindqvist")
    Closure(date=dt.date(2026, 11, 25), name="Stocktaking").save()

    proposal = propose([booked])[booked.pk]

    assert (proposal.same, slot_summary(proposal.other)) == (None, (26, "09:00", "Dr Lindqvist"))


def test_proposing_makes_the_same_queries_for_many_appointments(okafor, django_assert_num_queries, isolated):
    for rows in [3, 30]:
        with isolated(rows=rows):
            DoctorFactory()
            appointments = [
                create_appointment(
                    okafor,
                    at(8, day=25) + dt.timedelta(days=number // 9 * 7, minutes=15 * (number % 9)),
                    duration_minutes=15,
                )
                for number in range(rows)
            ]

            with django_assert_num_queries(5):
                propose(appointments)
