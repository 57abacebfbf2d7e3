"""Lists of the admin: all pages of a long one can be reached, and no query reads the whole table."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from appointments.tests.test_indexes import write_diaries
from clinic.administration import lists
from clinic.administration.base import SafeModelAdmin
from clinic.models import AuditEntry, SeenPatient
from clinic.tests.factories import UserFactory
from clinic.tests.kit import START, fresh
from clinic.tests.plans import steps_of_sql
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

APPOINTMENTS = "/admin/appointments/appointment/"
PATIENTS = "/admin/patients/patient/"
HOUR = dt.timedelta(hours=1)
LATEST_FIRST = ("-start_time", "-pk")


@pytest.fixture
def short_pages(monkeypatch):
    """Take lists of more than three records for large, and show two on a page."""
    monkeypatch.setattr(lists, "MAX_COUNTED", 3)
    monkeypatch.setattr(SafeModelAdmin, "list_per_page", 2)


@pytest.fixture
def appointments(now, short_pages):
    """Seven appointments of two doctors, two at a time; the booked ones are the later."""
    doctors = [DoctorFactory(specialization="Cardiology"), DoctorFactory(specialization="Cardiology")]
    for number in range(7):
        AppointmentFactory(
            doctor=doctors[number % 2],
            start_time=START + number // 2 * HOUR,
            status="completed" if number < 2 else "booked",
        )


@pytest.fixture
def few(appointments):
    """The filter for the doctor with three of them, which are counted."""
    return {"doctor__id__exact": Doctor.objects.latest("pk").pk}


def shown(response):
    return [record.pk for record in response.context["cl"].result_list]


def links(response):
    return {link.text: link.url for link in response.context["cl"].page_links}


def walk(client, address, query, link):
    """Follow a link from page to page, and return the ids on each page."""
    pages = []
    while query is not None:
        response = client.get(address + query)
        pages.append(shown(response))
        query = links(response).get(link)
    return pages


def joined(pages):
    return [pk for page in pages for pk in page]


def ids(rows, *order):
    return list(rows.order_by(*order).values_list("pk", flat=True))


# Pages


def test_next_leads_through_all_records_of_a_large_list(in_admin, appointments, isolated):
    for query, order in [("?", LATEST_FIRST), ("?o=1", ("start_time", "pk")), ("?o=-1", LATEST_FIRST)]:
        with isolated(query=query):
            pages = walk(in_admin, APPOINTMENTS, query, "Next")

            assert [len(page) for page in pages] == [2, 2, 2, 1]
            assert joined(pages) == ids(Appointment.objects, *order)


def test_previous_leads_back_from_the_last_page_to_a_full_first(in_admin, appointments):
    pages = walk(in_admin, APPOINTMENTS, links(in_admin.get(APPOINTMENTS))["Last"], "Previous")

    everything = ids(Appointment.objects, *LATEST_FIRST)
    assert pages == [everything[5:], everything[3:5], everything[1:3], everything[:2]]


def test_large_list_links_only_to_pages_that_exist(in_admin, appointments):
    first = in_admin.get(APPOINTMENTS)
    second = in_admin.get(APPOINTMENTS + links(first)["Next"])
    last = in_admin.get(APPOINTMENTS + links(first)["Last"])

    assert [set(links(each)) for each in (first, second, last)] == [
        {"Next", "Last"},
        {"First", "Previous", "Next", "Last"},
        {"First", "Previous"},
    ]


def test_numbered_page_of_a_large_list_is_shown(in_admin, appointments):
    assert shown(in_admin.get(f"{APPOINTMENTS}?p=3")) == ids(Appointment.objects, *LATEST_FIRST)[4:6]


def test_links_keep_filters_and_order(in_admin, appointments):
    response = in_admin.get(f"{APPOINTMENTS}?status__exact=booked&o=1")

    assert links(response)["Last"] == "?o=1&p=last&status__exact=booked"


def test_page_that_does_not_exist_leads_to_the_whole_list(in_admin, appointments, isolated):
    for page in ["after-999999", "before-999999", "5000", "9" * 18]:
        with isolated(page=page):
            response = in_admin.get(APPOINTMENTS, {"p": page})

            assert response["Location"] == APPOINTMENTS


def test_unreadable_page_is_the_first(in_admin, appointments, isolated):
    for page in ["x", "0", "-1", "after-", "after-x", "last-1", "9" * 40]:
        with isolated(page=page):
            assert shown(in_admin.get(APPOINTMENTS, {"p": page})) == ids(Appointment.objects, *LATEST_FIRST)[:2]


def test_count_is_exact_up_to_its_limit(in_admin, few):
    assert ">More than 3 appointments<" in page_text(in_admin.get(APPOINTMENTS))
    assert ">3 appointments<" in page_text(in_admin.get(APPOINTMENTS, few))
    assert ">1 appointment<" in page_text(in_admin.get(APPOINTMENTS, few | {"status__exact": "completed"}))


def page_text(response):
    paginator = response.content.decode().partition('class="paginator"')[2].partition("</p>")[0]
    text = re.sub(r"<a.*?</a>|<span.*?</span>", "", paginator).removeprefix(">")
    return f">{' '.join(text.split())}<"


def test_pages_of_a_counted_list_have_numbers(in_admin, few):
    response = in_admin.get(APPOINTMENTS, few | {"p": 2})

    assert shown(response) == ids(Appointment.objects.filter(doctor=few["doctor__id__exact"]), *LATEST_FIRST)[2:]
    assert '<span class="this-page">2</span>' in response.content.decode()


# Orders


def sortable(response):
    return re.findall(r'class="sortable column-(\w+)', response.content.decode())


def test_large_list_is_sorted_by_indexed_columns_only(in_admin, appointments):
    response = in_admin.get(f"{APPOINTMENTS}?o=2.3")

    assert sortable(response) == ["start"]
    assert shown(response) == ids(Appointment.objects, *LATEST_FIRST)[:2]


def test_counted_list_is_sorted_by_any_column(in_admin, few):
    response = in_admin.get(APPOINTMENTS, few | {"o": "3"})

    assert sortable(response) == ["start", "length", "patient", "doctor", "status", "reason"]
    assert shown(response) == ids(Appointment.objects.filter(doctor=few["doctor__id__exact"]), "patient", "-pk")[:2]


def test_patients_are_sorted_by_each_indexed_column(in_admin, short_pages, isolated):
    for name in ["Silva", "Abreu", "Matos", "Costa"]:
        PatientFactory(last_name=name)
    cases = [
        ("?", ("name_key", "pk")),
        ("?o=1", ("name_key", "pk")),
        ("?o=-1", ("-name_key", "-pk")),
        ("?o=5", ("email",)),
        ("?o=-6", ("-created_at", "-pk")),
    ]
    for query, order in cases:
        with isolated(query=query):
            assert joined(walk(in_admin, PATIENTS, query, "Next")) == ids(Patient.objects, *order)


def test_patients_of_a_year_are_shown_newest_first(in_admin, now, short_pages):
    PatientFactory.create_batch(5)

    response = in_admin.get(PATIENTS, {"created_at__year": 2026, "o": "1"})

    assert sortable(response) == ["created_at"]
    assert shown(response) == ids(Patient.objects, "-created_at", "-pk")[:2]


def test_large_list_without_an_order_by_keys_is_shown_newest_first(in_admin, short_pages):
    for doctor in DoctorFactory.create_batch(5):
        doctor.timetables.create(valid_from=None)

    pages = walk(in_admin, "/admin/doctors/timetable/", "?", "Next")

    assert joined(pages) == sorted(joined(pages), reverse=True)
    assert len(joined(pages)) >= 5


# Filters, search and dates


def test_specialization_filters_by_its_doctors(in_admin, appointments, isolated):
    other = AppointmentFactory(doctor=DoctorFactory(specialization="Neurology"))
    cardiology = ids(Appointment.objects.exclude(pk=other.pk), *LATEST_FIRST)
    for specialization, found in [("Cardiology", cardiology), ("Neurology", [other.pk]), ("None", [])]:
        with isolated(specialization=specialization):
            query = f"?doctor__specialization={specialization}"

            assert joined(walk(in_admin, APPOINTMENTS, query, "Next")) == found


def test_filters_can_be_combined_in_a_large_list(in_admin, appointments):
    query = "?doctor__specialization=Cardiology&status__exact=booked&start_time__year=2026&o=1"

    pages = walk(in_admin, APPOINTMENTS, query, "Next")

    assert joined(pages) == ids(Appointment.objects.filter(status="booked"), "start_time", "pk")


@pytest.fixture
def namesakes(monkeypatch):
    """Four patients called Silva, of whom a search finds two."""
    monkeypatch.setattr(lists, "MAX_MATCHES", 2)
    return [PatientFactory(first_name=name, last_name="Silva") for name in ("Ana", "Bea", "Eva", "Ida")]


def test_search_for_too_many_shows_the_first_by_name_and_says_so(in_admin, namesakes, isolated):
    for patient in namesakes:
        AppointmentFactory(patient=patient)
    for address, of in [(PATIENTS, "pk"), (APPOINTMENTS, "patient_id")]:
        with isolated(address=address):
            response = in_admin.get(address, {"q": "silva"})

            found = {getattr(record, of) for record in response.context["cl"].result_list}
            assert found == {patient.pk for patient in namesakes[:2]}
            assert "Only 2 are listed" in response.content.decode()


def test_search_for_few_says_nothing_about_more(in_admin, namesakes):
    response = in_admin.get(PATIENTS, {"q": "silva ana"})

    assert shown(response) == [namesakes[0].pk]
    assert not response.context["messages"]


def test_autocomplete_leaves_no_message_for_the_next_page(in_admin, namesakes):
    choices = "/admin/autocomplete/?app_label=appointments&model_name=appointment&field_name=patient&term=silva"

    assert len(in_admin.get(choices).json()["results"]) == 2
    assert not in_admin.get(PATIENTS).context["messages"]


def test_date_hierarchy_has_all_years_whatever_the_filter(in_admin, appointments):
    AppointmentFactory(start_time=START + dt.timedelta(days=800), status="booked")

    page = in_admin.get(APPOINTMENTS, {"status__exact": "completed"}).content.decode()

    assert re.findall(r">(20\d\d)</a>", page) == ["2026", "2027", "2028", "2029"]


# Actions


def post_for_all(client, action, appointment):
    return client.post(
        APPOINTMENTS,
        {"action": action, "_selected_action": [appointment.pk], "select_across": "1", "index": "0"},
        follow=True,
    )


def test_action_on_too_many_records_changes_none_and_says_so(in_admin, appointments, monkeypatch):
    monkeypatch.setattr("clinic.administration.base.MAX_SELECTED", 3)
    one = Appointment.objects.filter(status="booked").earliest("start_time")

    response = post_for_all(in_admin, "mark_no_show", one)

    assert [message.level_tag for message in response.context["messages"]] == ["error"]
    assert "At most 3 can be changed at once" in response.content.decode()
    assert fresh(one).status == "booked"


def test_action_on_all_of_a_short_list_changes_them(in_admin, now):
    pair = AppointmentFactory.create_batch(2, start_time=START - 2 * HOUR, status="booked")

    post_for_all(in_admin, "mark_arrived", pair[0])

    assert [fresh(each).status for each in pair] == ["arrived", "arrived"]


def test_all_records_are_offered_to_an_action_only_if_few(in_admin, few, monkeypatch):
    below = in_admin.get(APPOINTMENTS, few)
    monkeypatch.setattr(lists.ShortQueryChangeList, "max_selected", 2)
    many = in_admin.get(APPOINTMENTS, few)

    assert "Select all 3 appointments" in below.content.decode()
    assert "Select all" not in many.content.decode().replace("Select all objects on this page", "")
    assert "0 of 2 selected" in many.content.decode()


# The audit trail


def test_exactly_the_patients_of_a_page_are_recorded(in_admin, appointments):
    response = in_admin.get(APPOINTMENTS + links(in_admin.get(APPOINTMENTS))["Next"])

    entry = AuditEntry.objects.filter(event="read").latest("pk")
    patients = {record.patient_id for record in response.context["cl"].result_list}
    assert set(SeenPatient.objects.filter(entry=entry).values_list("patient_id", flat=True)) == patients
    assert len(patients) == 2


# Queries


def selects(client, address):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return [each["sql"] for each in queries if each["sql"].lstrip("(").startswith("SELECT")]


def test_lists_count_no_more_rows_than_their_limit(in_admin, appointments, isolated):
    UserFactory.create_batch(5)
    for address in [APPOINTMENTS, f"{APPOINTMENTS}?status__exact=booked", PATIENTS, "/admin/clinic/user/"]:
        with isolated(address=address):
            counts = [sql for sql in selects(in_admin, address) if "COUNT(" in sql]

            assert counts
            assert all("LIMIT 4" in sql for sql in counts), counts


def test_every_page_of_a_large_list_makes_as_many_queries(in_admin, appointments):
    first, middle, last = (
        len(selects(in_admin, APPOINTMENTS + query))
        for query in ("", f"?p=after-{Appointment.objects.latest('pk').pk}", "?p=last")
    )

    assert first == last == middle - 1  # the key of the record after which the page begins


@pytest.fixture
def diaries(transactional_db, monkeypatch):
    """Three thousand appointments, most of them completed, in a large list.

    Comes before the fixture that adds a user: SQLite keeps the statistics, which must not say how few users there are.
    """
    write_diaries(open_appointments=20)
    monkeypatch.setattr(lists, "MAX_COUNTED", 100)
    monkeypatch.setattr(SafeModelAdmin, "list_per_page", 10)


@pytest.mark.django_db(transaction=True)  # MariaDB commits at ANALYZE
def test_pages_of_a_large_list_are_read_along_an_index(diaries, in_admin, subtests):
    doctor, middle = Doctor.objects.latest("pk"), Appointment.objects.filter(status="completed")[1000]
    queries = [
        *("?", "?o=1", "?p=last", f"?p=after-{middle.pk}", f"?p=before-{middle.pk}", "?start_time__year=2026"),
        *("?status__exact=completed", "?status__exact=booked", f"?doctor__id__exact={doctor.pk}"),
        f"?doctor__id__exact={doctor.pk}&status__exact=completed&p=last",
    ]
    for query in queries:
        with subtests.test(query=query):
            (read,) = [sql for sql in selects(in_admin, APPOINTMENTS + query) if "LIMIT 11" in sql]

            steps = [step for step in steps_of_sql(read) if "appointments_appointment" in step.text]
            assert steps
            assert all(step.is_by_index and "filesort" not in step.text for step in steps), steps


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite cannot limit the parts of a union")
@pytest.mark.django_db(transaction=True)
def test_doctors_of_a_specialization_are_each_read_by_their_index(diaries, in_admin):
    (read,) = [
        sql for sql in selects(in_admin, f"{APPOINTMENTS}?doctor__specialization=General+practice") if "LIMIT 11" in sql
    ]

    steps = steps_of_sql(read)
    assert len(steps) == Doctor.objects.count()
    assert all(step.is_bounded and "filesort" not in step.text for step in steps), steps
