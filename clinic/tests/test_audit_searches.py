"""A minute's answers to one user are one entry of the audit trail, with each patient once."""

import datetime as dt

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment
from clinic.audit.actor import acting
from clinic.audit.models import MAX_JOINED
from clinic.audit_trail.entries import AuditFilter, describe_entries, entries_page
from clinic.models import AuditEntry, Event, SeenPatient
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, rolled_back, utc
from clinic.tests.plans import analyze, steps_of_sql
from clinic.tests.trail import entries, only_entry, seen_in
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("db", "now")]

SECOND = dt.timedelta(seconds=1)


def answer(*ids, by, kind=Patient, **origin):
    """Record an answer of a search with these patients."""
    with acting(by, **origin):
        return AuditEntry.objects.record(Event.SEARCH, kind, patients=ids)


def rows():
    return list(SeenPatient.objects.order_by("pk").values_list("patient_id", "timestamp"))


# Joining


def test_answers_within_a_minute_are_one_entry_with_each_patient_once(receptionist, now):
    first = answer(1, 2, by=receptionist)
    now.shift(59 * SECOND)

    joined = answer(2, 3, by=receptionist)

    assert only_entry(event=Event.SEARCH) == first == joined
    assert rows() == [(1, NOW), (2, NOW), (3, NOW + 59 * SECOND)]


def test_entry_lasts_a_minute_from_its_beginning(receptionist, now, isolated):
    for seconds, number in [(60, 1), (61, 2)]:
        with isolated(seconds=seconds):
            answer(1, by=receptionist)
            now.shift(30 * SECOND)
            answer(2, by=receptionist)
            now.shift((seconds - 30) * SECOND)

            answer(1, by=receptionist)

            assert len(entries(event=Event.SEARCH)) == number


def test_answers_of_others_do_not_join(receptionist, manager, isolated):
    cases = {
        "user": {"by": manager},
        "kind of record": {"by": receptionist, "kind": Appointment},
        "address": {"by": receptionist, "address": "192.0.2.8"},
        "token": {"by": receptionist, "token": 7},
    }
    for case, other in cases.items():
        with isolated(case):
            answer(1, by=receptionist)

            second = answer(1, **other)

            assert seen_in(second) == {1}
            assert len(entries(event=Event.SEARCH)) == 2


def test_long_answers_of_programs_do_not_join(receptionist):
    program = range(1, MAX_JOINED + 2)
    answer(1, by=receptionist)

    for _ in range(2):
        assert seen_in(answer(*program, by=receptionist)) == set(program)

    assert len(entries(event=Event.SEARCH)) == 3


def test_answers_without_a_user_do_not_join():
    answer(1, by=None)
    answer(1, by=None)

    assert len(entries(event=Event.SEARCH)) == 2


def test_lists_that_are_no_search_do_not_join(receptionist):
    answer(1, by=receptionist)
    with acting(receptionist):
        for _ in range(2):
            AuditEntry.objects.record(Event.READ, Patient, patients=[1])

    assert [seen_in(entry) for entry in entries(event=Event.READ)] == [{1}, {1}]


def test_answers_before_and_after_midnight_are_two_entries(receptionist, now, settings):
    settings.TIME_ZONE = "Asia/Tokyo"  # nine hours ahead
    now.move_to(utc(2026, 11, 24, 14, 59, 50))
    answer(1, by=receptionist)
    now.move_to(utc(2026, 11, 24, 15, 0, 5))

    answer(1, by=receptionist)

    assert len(entries(event=Event.SEARCH)) == 2


def test_search_without_matches_is_recorded_once_a_minute(receptionist, now):
    for _ in range(2):
        answer(by=receptionist)
        now.shift(SECOND)
        answer(by=receptionist)
        now.shift(60 * SECOND)

    assert len(entries(event=Event.SEARCH)) == 2


def test_answer_whose_patients_are_noted_writes_nothing(receptionist):
    answer(1, 2, by=receptionist)

    with CaptureQueriesContext(connection) as captured:
        answer(2, 1, by=receptionist)
        answer(by=receptionist)

    assert [query["sql"] for query in captured if not query["sql"].startswith("SELECT")] == []


def test_nothing_joins_an_entry_that_was_rolled_back(receptionist):
    with rolled_back():
        answer(1, by=receptionist)

    answer(1, by=receptionist)

    assert seen_in(only_entry(event=Event.SEARCH)) == {1}


def test_patient_of_a_rolled_back_answer_is_noted_again(receptionist):
    entry = answer(1, by=receptionist)
    with transaction.atomic():
        answer(2, by=receptionist)
        transaction.set_rollback(True)

    answer(2, by=receptionist)

    assert seen_in(entry) == {1, 2}


def test_answer_that_cannot_join_fails(at_desk, monkeypatch):
    PatientFactory(last_name="Silva")
    htmx = {"HX-Request": "true"}
    at_desk.post("/patients/", {"query": "nobody"}, headers=htmx)

    def refuse(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("clinic.audit.models.SeenPatientQuerySet.bulk_create", refuse)

    with pytest.raises(RuntimeError):
        at_desk.post("/patients/", {"query": "silva"}, headers=htmx)


def test_typing_a_name_is_one_entry_with_all_patients_shown(at_desk):
    names = ["Maria Silva", "Maria Santos", "Miguel Lopes", "Mario Silveira"]
    for name in names:
        first_name, last_name = name.split()
        PatientFactory(first_name=first_name, last_name=last_name)
    shown = set()

    for length in range(1, len("maria silva") + 1):
        response = at_desk.post("/patients/", {"query": "maria silva"[:length]}, headers={"HX-Request": "true"})
        shown |= {patient.pk for patient in response.context["found"] or ()}

    assert seen_in(only_entry(event=Event.SEARCH)) == shown
    assert len(shown) == SeenPatient.objects.count() == 4


# Simultaneous answers


def test_simultaneous_answers_may_be_two_entries_and_lose_no_patient(receptionist, monkeypatch):
    last_search = type(AuditEntry.objects.all())._last_search
    answered = []

    def meanwhile(queryset, kind):
        found = last_search(queryset, kind)
        if not answered:
            answered.append(True)
            answer(1, 2, by=receptionist)
        return found

    monkeypatch.setattr(type(AuditEntry.objects.all()), "_last_search", meanwhile)

    answer(2, 3, by=receptionist)

    assert sorted(map(sorted, map(seen_in, entries(event=Event.SEARCH)))) == [[1, 2], [2, 3]]


# Reading the trail


def shown(**filters):
    page, _more = entries_page(AuditFilter(**filters))
    return [entry for entry in page if entry.event != Event.WRITE]


def test_trail_shows_all_patients_of_the_minute(receptionist, now):
    patients = [PatientFactory() for _ in range(25)]
    answer(*[patient.pk for patient in patients[:3]], by=receptionist)
    now.shift(SECOND)
    answer(*[patient.pk for patient in patients[2:]], by=receptionist)

    (row,) = describe_entries(shown(event=Event.SEARCH))

    assert [link.text for link in row.patients] == [str(patient) for patient in patients[:20]]
    assert (row.more_patients, row.details) == (5, ["25 found"])


def test_trail_shows_that_a_search_found_nobody(receptionist):
    answer(by=receptionist)

    (row,) = describe_entries(shown(event=Event.SEARCH))

    assert (row.patients, row.more_patients, row.details) == ([], 0, ["0 found"])


def test_entries_from_before_searches_were_joined_stay_readable(receptionist):
    patient = PatientFactory()
    entry = answer(patient.pk, by=receptionist)
    QuerySet(AuditEntry).update(additional_data={"found": 1, "patients": [patient.pk]})

    (row,) = describe_entries(shown(patient_id=patient.pk, event=Event.SEARCH))

    assert ([link.text for link in row.patients], row.details) == ([str(patient)], ["1 found"])
    assert shown(event=Event.SEARCH) == [entry]


def test_nothing_joins_an_entry_that_has_details(receptionist):
    entry = answer(1, by=receptionist)
    QuerySet(AuditEntry).update(additional_data={"found": 1, "patients": [1]})

    answer(2, by=receptionist)

    assert seen_in(entry) == {1}


def test_trail_of_a_patient_shows_when_the_patient_was_shown(receptionist, now):
    first = answer(1, by=receptionist)
    now.shift(30 * SECOND)
    with acting(receptionist):
        read = AuditEntry.objects.record_by_id(Event.READ, Patient, pk=7, patient_id=7)
    now.shift(20 * SECOND)
    answer(7, by=receptionist)

    page = shown(patient_id=7)

    assert page == [first, read]
    assert [row.at for row in describe_entries(page)] == [NOW + 50 * SECOND, NOW + 30 * SECOND]


def test_pages_about_a_patient_have_no_gaps_and_no_repeats(receptionist, now, monkeypatch):
    monkeypatch.setattr("clinic.audit_trail.entries.ROWS_PER_PAGE", 3)
    written = []
    for number in range(10):
        user = UserFactory()
        written.append(answer(1, by=user).pk)
        now.shift(SECOND)
        with acting(user):
            written.append(AuditEntry.objects.record_by_id(Event.READ, Patient, pk=7, patient_id=7).pk)
        now.shift((20 if number % 2 else 40) * SECOND)
        answer(7, by=user)

    pages, before = [], None
    for _ in range(20):
        page, before = entries_page(AuditFilter(patient_id=7), before=before)
        pages += [(entry.seen_at, entry.pk) for entry in page]
        if before is None:
            break

    assert sorted(pk for _at, pk in pages) == sorted(written)
    assert pages == sorted(pages, reverse=True)


# Queries


@pytest.mark.django_db(transaction=True)
def test_last_search_is_found_by_index(receptionist):
    users = [receptionist, *(UserFactory() for _ in range(19))]
    kind = answer(1, by=receptionist).content_type
    QuerySet(AuditEntry).bulk_create(
        AuditEntry(
            event=Event.SEARCH,
            action=3,
            content_type=kind,
            object_pk="",
            actor=users[number % 20],
            timestamp=NOW - number * dt.timedelta(minutes=2),
        )
        for number in range(1, 3000)
    )
    QuerySet(SeenPatient).bulk_create(
        SeenPatient(entry_id=pk, patient_id=patient_id, timestamp=NOW)
        for pk in AuditEntry.objects.values_list("pk", flat=True)
        for patient_id in (1, pk + 100)
    )
    analyze("clinic_auditentry", "clinic_seenpatient")

    with CaptureQueriesContext(connection) as captured:
        answer(1, by=receptionist)

    assert len(captured) == 2
    steps = [step for query in captured for step in steps_of_sql(query["sql"])]
    assert [step.text for step in steps if not (step.is_by_index and step.is_bounded)] == []


def test_clients_of_two_addresses_are_two_entries(receptionist):
    for address in ("192.0.2.1", "192.0.2.2"):
        client = Client(REMOTE_ADDR=address)
        client.force_login(receptionist)
        client.post("/patients/", {"query": "nobody"}, headers={"HX-Request": "true"})

    assert {entry.remote_addr for entry in entries(event=Event.SEARCH)} == {"192.0.2.1", "192.0.2.2"}
