"""The page of the audit trail: filters, wording and queries."""

import datetime as dt
import importlib
import re

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from appointments.displaced.finder import open_schedule_change
from appointments.models import Appointment, DisplacedAppointment
from appointments.tests.factories import AppointmentFactory
from clinic.audit.actor import acting
from clinic.audit_trail.entries import AuditFilter, describe_entries, entries_page
from clinic.models import AuditEntry, Event, SeenPatient
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, utc
from clinic.tests.plans import analyze, steps_of_sql
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

TRAIL = "/audit/"


@pytest.fixture
def maria():
    return PatientFactory(first_name="Maria", last_name="Santos")


def write_entry(event, subject, *, by=None, at=None, **details):
    """Write an entry as if a user had acted at some time."""
    entry = AuditEntry.objects.record(event, subject, **details)
    if by or at:
        values = {"actor": by} if by else {}
        QuerySet(AuditEntry).filter(pk=entry.pk).update(**values, **({"timestamp": at} if at else {}))
        QuerySet(SeenPatient).filter(entry=entry).update(timestamp=at or entry.timestamp)
    return entry


def shown(**filters):
    """Return the ids of the entries on the page, without those that looking at the page writes."""
    before = AuditEntry.objects.latest("pk").pk if AuditEntry.objects.exists() else 0
    entries, _more = entries_page(AuditFilter(**filters))
    return [entry.pk for entry in entries if entry.pk <= before and entry.event != Event.WRITE]


# Access


def test_trail_is_for_administrators(client, receptionist, manager, doctor_user):
    for user in (receptionist, manager, doctor_user):
        client.force_login(user)

        assert client.get(TRAIL).status_code == 403, user
        assert client.post(TRAIL).status_code == 403, user


def test_patient_page_links_to_the_trail_for_administrators(in_admin, maria):
    response = in_admin.get(maria.get_absolute_url())

    assert f"{TRAIL}?patient={maria.pk}" in response.content.decode()


def test_patient_page_has_no_link_to_the_trail_for_others(at_desk, maria):
    assert TRAIL not in at_desk.get(maria.get_absolute_url()).content.decode()


# Filters


@pytest.mark.both_databases
def test_filter_by_patient_finds_reads_appointments_and_lists(maria):
    other = PatientFactory()
    appointment = AppointmentFactory(patient=maria)
    read = write_entry(Event.READ, maria)
    of_appointment = write_entry(Event.READ, appointment)
    listed = write_entry(Event.SEARCH, Patient, patients=[other.pk, maria.pk])
    write_entry(Event.READ, other)
    write_entry(Event.SEARCH, Patient, patients=[other.pk])

    assert shown(patient_id=maria.pk) == [listed.pk, of_appointment.pk, read.pk]


def test_patient_far_down_a_long_list_is_found(maria):
    ids = [PatientFactory().pk for _ in range(30)]
    listed = write_entry(Event.READ, Appointment, patients=[*ids, maria.pk])

    assert shown(patient_id=maria.pk) == [listed.pk]


def test_filter_by_user_finds_entries_of_that_user(maria):
    user, other = UserFactory(), UserFactory()
    mine = write_entry(Event.READ, maria, by=user)
    write_entry(Event.READ, maria, by=other)

    assert shown(user_id=user.pk) == [mine.pk]
    assert shown(user_id=user.pk, patient_id=maria.pk) == [mine.pk]


def test_filter_by_event_finds_its_entries(maria):
    exported = write_entry(Event.EXPORT, Patient, rows=3)
    searched = write_entry(Event.SEARCH, Patient, patients=[maria.pk])

    assert shown(event=Event.EXPORT) == [exported.pk]
    assert shown(event=Event.SEARCH, patient_id=maria.pk) == [searched.pk]


@pytest.mark.both_databases
def test_days_are_clinic_local_and_both_included(maria, settings):
    settings.TIME_ZONE = "Asia/Tokyo"  # nine hours ahead
    midnight = utc(2026, 11, 23, 15, 0)
    minute = dt.timedelta(minutes=1)
    write_entry(Event.READ, maria, at=midnight - minute)
    first = write_entry(Event.READ, maria, at=midnight)
    last = write_entry(Event.SEARCH, Patient, patients=[maria.pk], at=midnight + dt.timedelta(days=1) - minute)
    write_entry(Event.READ, maria, at=midnight + dt.timedelta(days=1))
    day = dt.date(2026, 11, 24)

    assert shown(first=day, last=day) == [last.pk, first.pk]
    assert shown(first=day, last=day, patient_id=maria.pk) == [last.pk, first.pk]


@pytest.mark.both_databases
def test_pages_have_no_gaps_and_no_repeats(maria):
    written = [
        write_entry(Event.READ, maria, at=NOW).pk
        if number % 2
        else write_entry(Event.SEARCH, Patient, patients=[maria.pk], at=NOW).pk
        for number in range(120)
    ]
    found, before = [], None
    for _page in range(4):
        entries, before = entries_page(AuditFilter(patient_id=maria.pk), before=before)
        found += [entry.pk for entry in entries if entry.event != Event.WRITE]
        if before is None:
            break

    assert found == sorted(written, reverse=True)


def test_page_links_to_the_next_page_with_the_same_filters(in_admin, maria):
    for _ in range(60):
        write_entry(Event.READ, maria)

    response = in_admin.get(TRAIL, {"patient": maria.pk, "event": "read"})

    more = response.context["more"]
    assert f"patient={maria.pk}&amp;event=read&amp;before={more}" in response.content.decode()
    rest = in_admin.get(TRAIL, {"patient": maria.pk, "event": "read", "before": more})
    assert 9 <= len(rest.context["rows"]) <= 12


def test_later_page_links_to_the_newest_with_the_same_filters(in_admin, maria):
    for _ in range(60):
        write_entry(Event.READ, maria)
    first = in_admin.get(TRAIL, {"event": "read"})
    assert "Newest entries" not in first.content.decode()

    rest = in_admin.get(TRAIL, {"event": "read", "before": first.context["more"]})

    assert '<a href="?event=read">Newest entries</a>' in rest.content.decode()
    assert '<a href="?">Newest entries</a>' in in_admin.get(TRAIL, {"before": "1-1"}).content.decode()


def test_last_day_before_first_day_is_refused_at_its_field(in_admin, maria):
    write_entry(Event.READ, maria)

    response = in_admin.get(TRAIL, {"first": "2026-11-02", "last": "2026-11-01"})

    assert response.context["form"].has_error("last", "trail_span")
    assert response.context["rows"]
    assert not in_admin.get(TRAIL, {"first": "2026-11-02", "last": "2026-11-02"}).context["form"].errors


def test_nonsense_in_the_url_is_no_error(in_admin):
    queries = ["patient=x", f"patient={'9' * 20}", "user=x", "event=x", "first=x", "last=9999-99-99", "before=x"]

    statuses = {query: in_admin.get(f"{TRAIL}?{query}").status_code for query in queries}

    assert statuses == dict.fromkeys(queries, 200)


# Wording


def row_of(entry):
    return describe_entries([AuditEntry.objects.select_related("actor", "content_type").get(pk=entry.pk)])[0]


def test_row_shows_actor_address_and_old_and_new_values(receptionist, doctor):
    appointment = AppointmentFactory(doctor=doctor)
    with acting(receptionist, address="192.0.2.7"):
        appointment.start_time += dt.timedelta(hours=1)
        appointment.doctor = AppointmentFactory(start_time=appointment.start_time + dt.timedelta(hours=5)).doctor
        appointment.save()

    row = row_of(AuditEntry.objects.get_for_object(appointment).writes().latest("pk"))

    assert (row.who, row.address) == (receptionist.display_name, "192.0.2.7")
    changes = {label: (old, new) for label, old, new in row.changes}
    assert changes["start"] == ("Tue 24 Nov 2026 10:00", "Tue 24 Nov 2026 11:00")
    assert changes["doctor"] == (str(doctor), str(appointment.doctor))
    assert row.record.url == appointment.get_absolute_url()
    assert [patient.text for patient in row.patients] == [str(appointment.patient)]


def test_record_is_shown_with_its_current_name(maria):
    entry = write_entry(Event.READ, maria)
    maria.last_name = "Silva"
    maria.save()

    assert row_of(entry).record.text == "Maria Silva"


def test_deleted_record_is_shown_by_its_id(maria):
    entry = write_entry(Event.READ, maria)
    pk = maria.pk
    maria.delete()

    assert (row_of(entry).record.text, row_of(entry).record.url) == (f"patient {pk}", "")


def test_long_list_names_20_patients_and_counts_the_others():
    ids = [PatientFactory().pk for _ in range(25)]

    row = row_of(write_entry(Event.SEARCH, Patient, patients=ids))

    assert len(row.patients) == 20
    assert row.more_patients == 5


def test_details_are_in_words(db):
    details = [
        ({"what": "recovery_code_used"}, ["recovery code used"]),
        ({"what": "allowed_again"}, ["allowed to log in again"]),
        ({"ended_by": "user", "sessions": 1}, ["ended by the user", "1 session"]),
        ({"ended_by": "administrator", "sessions": 3}, ["ended by an administrator", "3 sessions"]),
        ({"second_factor": True}, ["with the second factor"]),
        ({"is_named": False, "rows": 1}, ["with initials only", "1 row"]),
        ({"something_else": True}, ["something else yes"]),
        ({"of_event": "sign_in"}, ["only “signed in”"]),
        ({"first": "2026-11-29", "last": "2026-11-30"}, ["from Sun 29 Nov 2026", "to Mon 30 Nov 2026"]),
        ({"days": ["2026-11-29", "2026-11-30"]}, ["of Sun 29 Nov 2026, Mon 30 Nov 2026"]),
        ({"printed": ["2026-11-29"]}, ["printed Sun 29 Nov 2026"]),
        ({"before": "2026-07-01T12:00:00+00:00"}, ["from before Wed 1 Jul 2026 13:00"]),
        (
            {"status": 403, "method": "GET", "view": "appointments:patient_retention"},
            ["not allowed", "tried to open", "page “patient retention”"],
        ),
        (
            {"status": 404, "method": "POST", "view": "admin:clinic_user_change"},
            ["not found", "tried to send", "page “admin: user, change”"],
        ),
        (
            {"status": 410, "method": "PURGE", "view": "admin:index"},
            ["answered 410", "by PURGE", "page “admin: index”"],
        ),
        ({"day": "anonymised"}, ["of anonymised"]),
    ]

    shown = [row_of(write_entry(Event.READ, Patient, **data)).details for data, _words in details]

    assert shown == [words for _data, words in details]


def test_records_in_details_are_shown_by_name(receptionist, doctor, maria):
    details = {"of_user": receptionist.pk, "doctor": doctor.pk, "patient_id_named": maria.pk, "doctor_named": 4711}

    assert row_of(write_entry(Event.READ, Patient, **details)).details == [
        f"only of {receptionist.display_name}",
        f"of {doctor}",
        "with Maria Santos",
        "with doctor 4711",
    ]


def test_changes_are_in_words(receptionist):
    appointment = AppointmentFactory()
    receptionist.is_active = False
    receptionist.save()
    appointment.status = "arrived"
    appointment.arrived_at = appointment.start_time
    appointment.save()
    maria = PatientFactory(date_of_birth=dt.date(1980, 5, 17))

    rows = [
        row_of(AuditEntry.objects.get_for_object(each).writes().latest("pk"))
        for each in (receptionist, appointment, maria)
    ]

    of_user, of_appointment, of_patient = ({label: (old, new) for label, old, new in row.changes} for row in rows)
    assert of_user["active"] == ("yes", "no")
    assert of_appointment["status"] == ("Booked", "Arrived")
    assert of_patient["date of birth"] == ("–", "Sat 17 May 1980")


def test_every_event_can_be_shown(in_admin, maria):
    for event in Event:
        write_entry(event, maria, status=403, method="GET", view="x", rows=3)

    assert in_admin.get(TRAIL).status_code == 200


def test_names_are_escaped(in_admin):
    write_entry(Event.READ, PatientFactory(first_name="<b>Maria</b>"))

    assert "<b>Maria" not in in_admin.get(TRAIL).content.decode()


# Looking at the trail


def test_looking_at_the_trail_is_recorded(in_admin, administrator, maria):
    in_admin.get(TRAIL, {"patient": maria.pk, "first": "2026-11-01"})

    entry = AuditEntry.objects.filter(event=Event.READ).get()
    assert entry.content_type.model_class() is AuditEntry
    assert (entry.actor, entry.patient_id) == (administrator, maria.pk)
    assert entry.additional_data == {"first": "2026-11-01"}


def test_patient_filter_has_an_id_and_no_name_in_the_address(in_admin, maria):
    response = in_admin.post(f"{TRAIL}?event=read", {"query": "santos"})

    page = response.content.decode()
    assert f"event=read&amp;patient={maria.pk}" in page
    assert "query=" not in page


def test_search_says_when_there_are_more_matches(in_admin):
    PatientFactory.create_batch(20, last_name="Santos")
    for are_more in (False, True):
        response = in_admin.post(TRAIL, {"query": "santos"})

        assert len(response.context["found"]) == 20
        assert ("There are more." in response.content.decode()) is are_more
        PatientFactory(last_name="Santos")


# Queries


@pytest.mark.both_databases
def test_page_makes_the_same_queries_for_3_and_for_30_rows(in_admin, administrator):
    def fill(count):
        for _ in range(count):
            appointment = AppointmentFactory(start_time=utc(2027, 1, 4, 10, 0))
            write_entry(Event.READ, appointment, by=administrator)
            write_entry(Event.SEARCH, Patient, patients=[appointment.patient_id])
            write_entry(
                Event.READ, AuditEntry, by=administrator, of_user=UserFactory().pk, doctor=appointment.doctor_id
            )

    fill(3)
    in_admin.get(TRAIL, {"user": administrator.pk})  # caches content types
    with CaptureQueriesContext(connection) as few:
        in_admin.get(TRAIL, {"user": administrator.pk})
    fill(27)

    with CaptureQueriesContext(connection) as many:
        in_admin.get(TRAIL, {"user": administrator.pk})

    assert len(few) == len(many) <= 11


OF_DJANGO = re.compile(r"(SEARCH|SCAN) django_|'table': 'django_")  # its indexes have names of Django tables, too


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_page_queries_use_an_index():
    users = fill_trail()
    last = AuditEntry.objects.values_list("timestamp", "pk").latest("pk")
    day = dt.date(2026, 11, 24)
    filters_and_indexes = [
        ({}, ["timestamp"]),
        ({"patient_id": 7}, ["audit_patient_time", "seen_patient_time"]),
        ({"user_id": users[0]}, ["audit_actor_time"]),
        ({"event": "refusal"}, ["audit_event_time"]),
        ({"first": day, "last": day}, ["timestamp"]),
        ({"patient_id": 7, "first": day}, ["audit_patient_time", "seen_patient_time"]),
    ]
    for filters, indexes in filters_and_indexes:
        with CaptureQueriesContext(connection) as captured:
            entries_page(AuditFilter(**filters), before=last)

        selects = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("SELECT")]
        steps = [
            step for sql in selects for step in steps_of_sql(sql.replace("%", "%%")) if not OF_DJANGO.search(step.text)
        ]
        assert [step.text for step in steps if not step.is_by_index] == [], filters
        for index in indexes:
            assert any(index in step.text for step in steps), (filters, [step.text for step in steps])


def fill_trail():
    """Ten thousand entries of twenty users and a hundred patients, a few of them refusals."""
    users = [UserFactory().pk for _ in range(20)]
    kind = ContentType.objects.get_for_model(Patient)
    start = utc(2026, 11, 1)
    QuerySet(AuditEntry).bulk_create(
        AuditEntry(
            event="refusal" if number % 500 == 0 else "read",
            action=3,
            content_type=kind,
            object_pk=str(number % 100),
            object_id=number % 100,
            patient_id=number % 100,
            actor_id=users[number % 20],
            timestamp=start + number * dt.timedelta(minutes=5),
        )
        for number in range(10_000)
    )
    QuerySet(SeenPatient).bulk_create(
        SeenPatient(entry_id=pk, patient_id=pk % 100, timestamp=timestamp)
        for pk, timestamp in AuditEntry.objects.values_list("pk", "timestamp")[:3000]
    )
    analyze("clinic_auditentry", "clinic_seenpatient")
    return users


# Earlier entries


class HistoricalApps:
    """Models under the names they had at the time of the migration."""

    def get_model(self, app, name):
        return apps.get_model(app, {"Hit": "DisplacedAppointment"}.get(name, name))


@pytest.mark.both_databases
def test_migration_fills_in_the_patient_of_earlier_entries():
    appointment = AppointmentFactory()
    open_schedule_change([appointment], cause="Leave", by=None)
    QuerySet(AuditEntry).update(patient_id=None)
    fill = importlib.import_module("clinic.migrations.0006_audit_patients").fill

    ContentType.objects.filter(app_label="appointments", model="displacedappointment").update(model="hit")
    fill(HistoricalApps(), None)
    ContentType.objects.filter(app_label="appointments", model="hit").update(model="displacedappointment")

    for record in (appointment.patient, appointment, DisplacedAppointment.objects.get()):
        assert AuditEntry.objects.get_for_object(record).get().patient_id == appointment.patient_id, record
    assert set(AuditEntry.objects.get_for_object(appointment.doctor).values_list("patient_id", flat=True)) == {None}
