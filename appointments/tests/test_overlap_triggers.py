"""The database refuses overlapping appointments by itself, whoever writes: here mostly writes that bypass the rules."""

import datetime as dt
import os
import uuid

import hypothesis
import pytest
from django.core import checks, serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Q, QuerySet
from hypothesis import strategies as st

from appointments.booking import actions
from appointments.checks import check_overlap_triggers
from appointments.models import Appointment
from appointments.overlap_triggers import (
    DOCTOR_OVERLAP,
    IMPORTED,
    INSERT,
    PATIENT_OVERLAP,
    TABLE,
    TIMES,
    UPDATE,
    make_triggers,
    missing_triggers,
    overlap_triggers,
)
from appointments.statuses import BLOCKING, Status
from appointments.tests.booking_form import BOOK, assert_refused
from appointments.tests.conftest import drop_triggers
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.tests.api_client import error_codes
from clinic.tests.kit import START, Cases, codes_in, codes_of, fresh, rolled_back
from clinic.tests.properties import examples
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("db")]

MINUTE = dt.timedelta(minutes=1)
LONG_AGO = dt.datetime(2001, 3, 6, 10, 0, tzinfo=dt.UTC)  # past by the database's clock, too
FAR_AHEAD = dt.datetime(2098, 11, 25, 10, 0, tzinfo=dt.UTC)


def insert(doctor=None, patient=None, *, at=START, minute=0, minutes=30, **values):
    """Insert an appointment by one statement, without lock, rules and audit trail."""
    start = at + minute * MINUTE
    row = Appointment(
        doctor=doctor or DoctorFactory(),
        patient=patient or PatientFactory(),
        start_time=start,
        duration_minutes=minutes,
        end_time=start + minutes * MINUTE,
        **values,
    )
    with transaction.atomic():
        QuerySet(Appointment).bulk_create([row])
    return Appointment.objects.get(booking_key=row.booking_key)


def update(appointment, **values):
    """Update columns by one statement, without lock, rules and audit trail."""
    with transaction.atomic():
        QuerySet(Appointment).filter(pk=appointment.pk).update(**values)


def refused(message):
    return pytest.raises(IntegrityError, match=message)


# Inserting


def test_raw_sql_that_overlaps_is_refused(patient, doctor):
    AppointmentFactory(doctor=doctor)
    columns = {
        "patient_id": patient.pk,
        "doctor_id": doctor.pk,
        "duration_minutes": 30,
        "status": "booked",
        "start_time": "2026-11-24 10:15:00",
        "end_time": "2026-11-24 10:45:00",
        "booking_key": uuid.uuid4().hex,
        **dict.fromkeys(("reason", "notes", "outside_hours_reason", "cancelled_by", "cancel_reason"), ""),
        "version": 1,
        "created_at": "2026-11-24 09:00:00",
        "updated_at": "2026-11-24 09:00:00",
    }
    statement = f"INTO {TABLE} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
    ignoring = "INSERT OR IGNORE" if connection.vendor == "sqlite" else "INSERT IGNORE"

    with Cases() as case:
        for verb in ("INSERT", ignoring, "REPLACE"):
            with case(verb), refused(DOCTOR_OVERLAP), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"{verb} {statement}", list(columns.values()))
    assert Appointment.objects.count() == 1


def test_overlap_of_a_doctor_or_patient_is_refused_to_the_minute(patient, doctor):
    insert(doctor, patient, minute=0, minutes=60)

    with Cases() as case:
        for minute, minutes, is_free in [
            *[(-30, 30, True), (-29, 30, False), (0, 60, False), (15, 15, False), (-60, 180, False)],
            *[(59, 15, False), (60, 15, True), (-180, 180, True), (-179, 180, False)],
        ]:
            for diary, message in (({"doctor": doctor}, DOCTOR_OVERLAP), ({"patient": patient}, PATIENT_OVERLAP)):
                with case(minute, minutes, message):
                    if is_free:
                        insert(**diary, minute=minute, minutes=minutes)
                    else:
                        with refused(message):
                            insert(**diary, minute=minute, minutes=minutes)


def test_overlap_counts_only_in_statuses_that_block(doctor):
    with Cases() as case:
        for existing in Status:
            for new in Status:
                with case(existing, new):
                    insert(doctor, status=existing)
                    if {existing, new} <= BLOCKING:
                        with refused(DOCTOR_OVERLAP):
                            insert(doctor, status=new)
                    else:
                        insert(doctor, status=new)


def test_rows_of_one_statement_that_overlap_each_other_are_refused(patient, doctor):
    rows = [
        Appointment(doctor=doctor, patient=PatientFactory(), start_time=START, end_time=START + 30 * MINUTE)
        for _number in range(2)
    ]

    with refused(DOCTOR_OVERLAP), transaction.atomic():
        QuerySet(Appointment).bulk_create(rows)

    assert not Appointment.objects.exists()


def test_loaddata_of_an_overlap_is_refused_and_says_why(doctor, tmp_path):
    one = AppointmentFactory(doctor=doctor)
    other = AppointmentFactory(doctor=doctor, start_time=START + 30 * MINUTE)
    other.start_time, other.end_time = one.start_time, one.end_time
    file = tmp_path / "appointments.json"
    file.write_text(serializers.serialize("json", [other]))

    with refused(DOCTOR_OVERLAP):
        call_command("loaddata", str(file), verbosity=0)

    assert fresh(other).start_time == START + 30 * MINUTE


@pytest.mark.skipif(connection.vendor != "sqlite", reason="MariaDB has a type for times")
def test_time_that_is_not_written_as_sqlite_compares_it_is_refused(doctor):
    appointment = AppointmentFactory(doctor=doctor)

    with Cases() as case:
        for start, end in [
            ("2026-11-24 12:00:00+02:00", "2026-11-24 12:30:00+02:00"),
            ("2026-11-24T10:00:00", "2026-11-24T10:30:00"),
            ("2026-11-24 10:00", "2026-11-24 10:30"),
        ]:
            with case(start), refused(TIMES), connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {TABLE} SET start_time = %s, end_time = %s WHERE id = %s", [start, end, appointment.pk]
                )


# Updating


def test_update_that_makes_an_overlap_is_refused(patient, doctor):
    insert(doctor, patient)
    later = insert(doctor, minute=30)
    cancelled = insert(doctor, patient, status=Status.CANCELLED)
    elsewhere = insert()
    changes = [
        (later, {"start_time": START + 29 * MINUTE}, DOCTOR_OVERLAP),
        (later, {"patient": patient, "start_time": START, "end_time": START + 30 * MINUTE}, DOCTOR_OVERLAP),
        (cancelled, {"status": Status.BOOKED}, DOCTOR_OVERLAP),
        (elsewhere, {"doctor": doctor}, DOCTOR_OVERLAP),
        (elsewhere, {"patient": patient}, PATIENT_OVERLAP),
    ]

    with Cases() as case:
        for appointment, values, message in changes:
            with case(*values), refused(message):
                update(appointment, **values)


def test_update_that_makes_no_overlap_is_accepted(patient, doctor):
    booked = insert(doctor, patient)
    insert(doctor, minute=60)

    with Cases() as case:
        for values in [
            {"start_time": START + 30 * MINUTE, "end_time": START + 60 * MINUTE},
            {"end_time": START + 60 * MINUTE, "duration_minutes": 60},
            {"status": Status.ARRIVED},
            {"doctor": DoctorFactory()},
            {"notes": "anything"},
        ]:
            with case(*values):
                update(booked, **values)


@pytest.mark.django_db(transaction=True)
def test_existing_overlap_does_not_stop_other_changes(triggers_dropped, doctor):
    one, other = insert(doctor), insert(doctor)
    make_triggers()

    update(one, status=Status.ARRIVED, notes="came", version=2)
    update(other, status=Status.CANCELLED)
    with refused(DOCTOR_OVERLAP):
        update(other, status=Status.BOOKED)


# Property: as the querysets say

A_WRITE = st.fixed_dictionaries(
    {
        "number": st.none() | st.integers(0, 9),  # of the row to change
        "doctor": st.integers(0, 1),
        "patient": st.integers(0, 1),
        "minute": st.integers(0, 40).map(lambda number: number * 5),
        "minutes": st.sampled_from([15, 30, 60, 180]),
        "status": st.sampled_from([*sorted(BLOCKING), *Status.values]),
        "is_imported": st.sampled_from([False, False, True]),
    }
)


@pytest.mark.hypothesis
@examples(20, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(st.lists(A_WRITE, min_size=2, max_size=10))
def test_trigger_refuses_exactly_what_the_querysets_find(writes):
    with rolled_back():
        doctors, patients = DoctorFactory.create_batch(2), PatientFactory.create_batch(2)
        written = []
        for write in writes:
            row = _row(**write | {"doctor": doctors[write["doctor"]], "patient": patients[write["patient"]]})
            if write["number"] is not None and written:
                row.pk = written[write["number"] % len(written)]
            others = Appointment.objects.exclude(pk=row.pk).blocking().overlapping(row.start_time, row.end_time)
            in_the_way = others.filter(Q(doctor=row.doctor) | Q(patient=row.patient))
            is_free = row.is_imported or not row.is_blocking or not in_the_way.exists()

            assert _is_written(row) == is_free
            if is_free and row.pk not in written:
                written.append(row.pk)


def _row(*, number, minute, minutes, **values):
    start = LONG_AGO + minute * MINUTE
    times = {"start_time": start, "duration_minutes": minutes, "end_time": start + minutes * MINUTE}
    return Appointment(**values, **times, created_at=LONG_AGO, updated_at=LONG_AGO)


def _is_written(row):
    try:
        with transaction.atomic():
            models.Model.save_base(row, raw=True)  # as loaddata does
    except IntegrityError as error:
        if {DOCTOR_OVERLAP, PATIENT_OVERLAP}.isdisjoint(map(str, error.args)):
            raise
        return False
    return True


# Imported appointments


def test_imported_appointment_is_neither_refused_nor_in_the_way(patient, doctor):
    insert(doctor, patient, at=LONG_AGO, is_imported=True)
    insert(doctor, patient, at=LONG_AGO, is_imported=True)

    own = insert(doctor, patient, at=LONG_AGO)
    insert(doctor, patient, at=LONG_AGO, is_imported=True)

    with refused(DOCTOR_OVERLAP):
        insert(doctor, patient, at=LONG_AGO)
    assert Appointment.objects.blocking().get() == own


def test_imported_appointment_must_be_over_for_the_database():
    booked = insert(at=FAR_AHEAD)
    imported = insert(at=LONG_AGO, is_imported=True)

    with Cases() as case:
        with case("insert"), refused(IMPORTED):
            insert(at=FAR_AHEAD, is_imported=True)
        with case("mark"), refused(IMPORTED):
            update(booked, is_imported=True)
        with case("move"), refused(IMPORTED):
            update(imported, start_time=FAR_AHEAD, end_time=FAR_AHEAD + 30 * MINUTE)


def test_imported_appointment_whose_mark_is_removed_may_not_overlap(doctor):
    insert(doctor, at=LONG_AGO)
    imported = insert(doctor, at=LONG_AGO, is_imported=True)

    with refused(DOCTOR_OVERLAP):
        update(imported, is_imported=False)
    imported.is_imported = False
    with pytest.raises(LostRace) as refusal:
        imported.save()
    assert codes_in(refusal.value) == {"start_time": ["doctor_overlap"]}


def test_imported_appointment_is_saved_beside_another(patient, doctor):
    values = {"patient": patient, "doctor": doctor, "start_time": LONG_AGO}
    AppointmentFactory(**values)

    imported = Appointment(**values, is_imported=True)
    imported.clean_and_save()
    imported.duration_minutes = 60
    imported.clean_and_save()

    assert Appointment.objects.blocking().count() == 1
    assert Appointment.objects.count() == 2


def test_imported_appointment_must_be_over_at_its_end(now, patient, doctor):
    values = {"patient": patient, "doctor": doctor, "is_imported": True}
    for start, codes in [
        (START - 61 * MINUTE - 30 * MINUTE, {}),
        (START - 60 * MINUTE - 30 * MINUTE, {}),  # ends now
        (START - 59 * MINUTE - 30 * MINUTE, {"start_time": ["imported"]}),
        (START, {"start_time": ["imported"]}),
    ]:
        assert codes_of(Appointment(**values, start_time=start)) == codes, start


def test_imported_appointment_to_come_is_not_saved(patient, doctor):
    imported = Appointment(patient=patient, doctor=doctor, start_time=FAR_AHEAD, is_imported=True)

    with pytest.raises(LostRace) as refusal:
        imported.save()

    assert codes_in(refusal.value) == {"start_time": ["imported"]}


def test_imported_appointment_cannot_be_moved_to_the_future(patient, doctor):
    imported = AppointmentFactory(patient=patient, doctor=doctor, start_time=LONG_AGO, is_imported=True)

    with pytest.raises(ValidationError) as refusal:
        actions.move(imported, doctor=doctor, start_time=FAR_AHEAD, duration_minutes=30, by=None)

    assert codes_in(refusal.value) == {"start_time": ["imported"]}


# A refusal that reaches a request


@pytest.fixture
def unchecked(now, monkeypatch):
    """Skip the checks of the diaries, so that only the triggers notice an overlap."""
    monkeypatch.setattr("appointments.models.appointment.check_diaries", lambda appointment: None)


def test_trigger_refuses_a_booking_as_a_rule_does(unchecked, patient, doctor):
    AppointmentFactory(patient=patient)
    with pytest.raises(ValidationError) as refusal:
        actions.book(patient=patient, doctor=doctor, start_time=START, duration_minutes=30, by=None)

    assert codes_in(refusal.value) == {"start_time": ["patient_overlap"]}
    assert Appointment.objects.count() == 1


def test_trigger_refuses_in_the_booking_form_at_the_time(unchecked, at_desk, form_data, okafor):
    AppointmentFactory(doctor=okafor, start_time=START + 24 * 60 * MINUTE)

    response = at_desk.post(BOOK, form_data)

    assert response.status_code == 200
    assert_refused(response, form_data, "time", "doctor_overlap")


def test_trigger_refuses_in_the_api_with_409(unchecked, api, patient, doctor):
    AppointmentFactory(doctor=doctor)

    response = api.post(
        "/appointments", {"patient_id": patient.pk, "doctor_id": doctor.pk, "start_time": "2026-11-24T10:00:00Z"}
    )

    assert (response.status_code, error_codes(response)) == (409, [("start_time", "doctor_overlap")])


def test_trigger_refuses_in_the_admin_with_a_message(unchecked, in_admin, patient, doctor):
    AppointmentFactory(doctor=doctor)

    form = {"patient": patient.pk, "doctor": doctor.pk, "duration_minutes": 30}
    form |= {"start_time_0": "2026-11-24", "start_time_1": "10:00"}
    response = in_admin.post("/admin/appointments/appointment/add/", form, follow=True)

    assert response.redirect_chain == [("/admin/appointments/appointment/add/", 302)]
    assert [str(message) for message in response.context["messages"]] == [DOCTOR_OVERLAP]
    assert Appointment.objects.count() == 1


# Made after every migrate


def test_triggers_are_only_looked_up_once_they_are_there(django_assert_num_queries):
    with django_assert_num_queries(2 if connection.vendor == "sqlite" else 4) as queries:
        make_triggers()

    assert all(query["sql"].startswith("S") for query in queries)  # SELECT or SHOW


def test_text_of_the_triggers_names_all_blocking_statuses():
    for vendor in ("sqlite", "mysql"):
        for trigger in overlap_triggers(vendor):
            assert all(f"'{status}'" in trigger.body for status in BLOCKING)
            assert all(f"'{status}'" not in trigger.body for status in {*Status.values} - BLOCKING)


def test_triggers_read_indexes_that_the_model_has():
    names = {index.name for index in Appointment._meta.indexes}

    assert {"appointment_doctor_start", "appointment_patient_start"} <= names


@pytest.mark.django_db(transaction=True)
def test_altered_table_has_its_triggers_after_migrate(doctor):
    old, new = (models.CharField(max_length=length, blank=True) for length in (200, 190))
    for field in (old, new):
        field.set_attributes_from_name("reason")
        field.model = Appointment
    insert(doctor)
    with connection.schema_editor() as editor:
        editor.alter_field(Appointment, old, new)
    were_dropped = missing_triggers(connection) == [INSERT, UPDATE]

    call_command("migrate", verbosity=0)

    assert were_dropped == (connection.vendor == "sqlite")
    assert missing_triggers(connection) == []
    with refused(DOCTOR_OVERLAP):
        insert(doctor)
    with connection.schema_editor() as editor:
        editor.alter_field(Appointment, new, old)
    make_triggers()


@pytest.mark.django_db(transaction=True)
def test_upgrade_keeps_existing_overlaps_and_refuses_new_ones(capsys):
    call_command("migrate", "appointments", "0012", verbosity=0)
    assert check_overlap_triggers(["default"]) == []
    doctor, patients = DoctorFactory(), PatientFactory.create_batch(2)
    for patient in patients:
        _insert_without_mark(doctor, patient)

    call_command("migrate", verbosity=0)

    assert Appointment.objects.filter(is_imported=False).count() == 2
    with pytest.raises(SystemExit):
        call_command("check_diaries")
    with refused(DOCTOR_OVERLAP):
        insert(doctor)


@pytest.mark.django_db(transaction=True)
def test_deployment_of_the_version_before_can_still_book(patient, doctor):
    _insert_without_mark(doctor, patient)

    assert not Appointment.objects.get().is_imported


@pytest.mark.django_db(transaction=True)
def test_upgrade_adds_the_status_left_and_keeps_what_is_booked():
    call_command("migrate", "appointments", "0013", verbosity=0)
    doctor, patient = DoctorFactory(), PatientFactory()
    _insert_without_mark(doctor, patient)
    with connection.cursor() as cursor, pytest.raises(IntegrityError), transaction.atomic():
        cursor.execute(f"UPDATE {TABLE} SET status = 'left'")

    call_command("migrate", verbosity=0)

    appointment = Appointment.objects.get()
    assert (appointment.status, appointment.is_walk_in, appointment.left_at) == ("booked", False, None)
    update(appointment, status="left")
    with pytest.raises(IntegrityError):
        update(appointment, status="asleep")
    assert missing_triggers(connection) == []
    insert(doctor, patient)


def _insert_without_mark(doctor, patient):
    """Insert an appointment as the portal did before there was the mark."""
    later = {"id", "is_imported", "is_walk_in", "left_at"}
    columns = [field for field in Appointment._meta.concrete_fields if field.name not in later]
    row = Appointment(
        doctor=doctor,
        patient=patient,
        start_time=START,
        end_time=START + 30 * MINUTE,
        created_at=START,
        updated_at=START,
    )
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in columns]
    names = ", ".join(field.column for field in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} ({names}) VALUES ({', '.join(['%s'] * len(columns))})", values)


# The system check


def test_check_with_the_triggers_is_fine():
    assert check_overlap_triggers(["default"]) == []
    assert check_overlap_triggers(None) == []


@pytest.mark.django_db(transaction=True)
def test_missing_trigger_is_an_error_that_migrate_mends(triggers_dropped):
    (message,) = check_overlap_triggers(["default"])
    assert (message.id, message.level) == ("appointments.E001", checks.ERROR)
    with pytest.raises(SystemCheckError, match=r"appointments\.E001"):
        call_command("check", databases=["default"])

    call_command("migrate", verbosity=0, skip_checks=False)

    assert check_overlap_triggers(["default"]) == []


@pytest.mark.django_db(transaction=True)
def test_different_trigger_is_an_error_that_migrate_mends(triggers_dropped):
    make_triggers()
    noop = "BEGIN SELECT 1; END" if connection.vendor == "sqlite" else "BEGIN END"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {UPDATE}")
        cursor.execute(f"CREATE TRIGGER {UPDATE} BEFORE UPDATE ON {TABLE} FOR EACH ROW {noop}")

    (message,) = check_overlap_triggers(["default"])
    call_command("migrate", verbosity=0)

    assert message.id == "appointments.E001"
    assert UPDATE in message.msg
    assert INSERT not in message.msg
    assert check_overlap_triggers(["default"]) == []


# An account that may not create triggers

_RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES"


@pytest.fixture
def limited(transactional_db):
    """A connection of an account without the right TRIGGER, as the default one."""
    if connection.vendor != "mysql":
        pytest.skip("SQLite has no accounts")
    account = f"limited{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {account}@'%' IDENTIFIED BY 'limited'")
        cursor.execute(f"GRANT {_RIGHTS} ON `{connection.settings_dict['NAME']}`.* TO {account}@'%'")
    own = connection.copy()
    own.settings_dict |= {"USER": account, "PASSWORD": "limited"}
    with pytest.MonkeyPatch.context() as patch:  # undone before the database is emptied, which makes the triggers, too
        for module in ("appointments.overlap_triggers", "appointments.checks"):
            patch.setattr(f"{module}.connections", {"default": own})
        yield own
    own.close()
    make_triggers()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP USER {account}@'%'")


def test_account_that_may_not_create_triggers_is_warned(limited, caplog):
    drop_triggers()

    make_triggers()
    (message,) = check_overlap_triggers(["default"])

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "does not refuse overlapping appointments: TRIGGER command denied" in record.getMessage()
    assert "Grant the account TRIGGER" in record.getMessage()
    assert (message.id, message.level) == ("appointments.W001", checks.WARNING)


def test_account_that_may_not_see_the_triggers_is_not_warned(limited, caplog):
    make_triggers()

    assert check_overlap_triggers(["default"]) == []
    assert caplog.records == []


def test_account_that_was_granted_the_right_creates_the_triggers(limited):
    drop_triggers()
    account = limited.settings_dict["USER"]
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT TRIGGER ON `{connection.settings_dict['NAME']}`.* TO {account}@'%'")

    assert [each.id for each in check_overlap_triggers(["default"])] == ["appointments.E001"]
    make_triggers()
    assert check_overlap_triggers(["default"]) == []


@pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite has no accounts")
@pytest.mark.django_db(transaction=True)
def test_triggers_of_another_account_are_made_again():
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {INSERT}")
        statement = overlap_triggers("mysql")[0].statement
        cursor.execute(statement.replace("CREATE", "CREATE DEFINER=nobody@nowhere", 1))

    make_triggers()

    insert()
