"""FHIR searches: dates, references, codes, patients, pages."""

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.fhir import parameters, values
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from appointments.tests.fhir_answers import BASE, HERE, found, ids, link, pages, post, read, refused
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

UTC = dt.UTC
SIGN_IN = 1  # query: token with its user and permissions
MINUTE = dt.timedelta(minutes=1)


def search(client, kind="Appointment", **sought):
    return client.get(f"{BASE}/{kind}", sought)


# Dates: an appointment a minute before, at, and after each edge of what is meant


def around(*instants):
    """Return the ids of appointments with different doctors, by start."""
    return {each: AppointmentFactory(start_time=each).pk for each in instants}


@pytest.mark.both_databases
def test_date_is_in_clinic_time(fhir, isolated):
    prefix_cases = [
        ("", [1, 2]),
        ("eq", [1, 2]),
        ("ne", [0, 3]),
        ("ge", [1, 2, 3]),
        ("gt", [3]),
        ("sa", [3]),
        ("le", [0, 1, 2]),
        ("lt", [0]),
        ("eb", [0]),
    ]
    value_cases = [
        ("2026-11-24", at(0, day=24), at(0, day=25)),
        ("2026-07-01", dt.datetime(2026, 6, 30, 23, tzinfo=UTC), dt.datetime(2026, 7, 1, 23, tzinfo=UTC)),
        # The clocks go forward: 23 hours. They go back: 25.
        ("2026-03-29", dt.datetime(2026, 3, 29, 0, tzinfo=UTC), dt.datetime(2026, 3, 29, 23, tzinfo=UTC)),
        ("2026-10-25", dt.datetime(2026, 10, 24, 23, tzinfo=UTC), dt.datetime(2026, 10, 26, 0, tzinfo=UTC)),
        ("2026-10", dt.datetime(2026, 9, 30, 23, tzinfo=UTC), at(0, day=1)),
        ("2026-12", dt.datetime(2026, 12, 1, tzinfo=UTC), dt.datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026", dt.datetime(2026, 1, 1, tzinfo=UTC), dt.datetime(2027, 1, 1, tzinfo=UTC)),
        ("2199-12-31", dt.datetime(2199, 12, 31, tzinfo=UTC), dt.datetime(2200, 1, 1, tzinfo=UTC)),
    ]
    for value, start, end in value_cases:
        with isolated(value):
            appointments = list(around(start - MINUTE, start, end - MINUTE, end).values())

            found_by_prefix = {prefix: ids(search(fhir, date=f"{prefix}{value}")) for prefix, _expected in prefix_cases}

            assert found_by_prefix == {
                prefix: [appointments[number] for number in expected] for prefix, expected in prefix_cases
            }


@pytest.mark.both_databases
def test_instant_covers_its_precision(fhir, isolated):
    prefix_cases = [
        ("", [1]),
        ("ne", [0, 2]),
        ("ge", [1, 2]),
        ("gt", [2]),
        ("sa", [2]),
        ("le", [0, 1]),
        ("lt", [0]),
        ("eb", [0]),
    ]
    value_cases = [
        "2026-11-24T10:30Z",
        "2026-11-24T10:30:00Z",
        "2026-11-24T10:30:00.000Z",
        "2026-11-24T10:30:00.000000000+00:00",
        "2026-11-24T05:00:00-05:30",
        "2026-11-25T00:30+14:00",
    ]
    middle = at(10, 30, day=24)
    appointments = list(around(middle - MINUTE, middle, middle + MINUTE).values())
    for value in value_cases:
        with isolated(value):
            found_by_prefix = {prefix: ids(search(fhir, date=f"{prefix}{value}")) for prefix, _expected in prefix_cases}

            assert found_by_prefix == {
                prefix: [appointments[number] for number in expected] for prefix, expected in prefix_cases
            }


@pytest.mark.both_databases
def test_second_precision_does_not_match_the_whole_minute(fhir):
    appointment = AppointmentFactory(start_time=at(10))

    assert ids(search(fhir, date="2026-11-25T10:00:01Z")) == []
    assert ids(search(fhir, date="ge2026-11-25T10:00:01Z")) == []
    assert ids(search(fhir, date="lt2026-11-25T10:00:01Z")) == [appointment.pk]


@pytest.mark.both_databases
def test_repeated_hour_of_the_clock_change_is_identified_by_offset(fhir):
    first, second = dt.datetime(2026, 10, 25, 0, 30, tzinfo=UTC), dt.datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    appointments = around(first, second)

    assert ids(search(fhir, date="2026-10-25T01:30+01:00")) == [appointments[first]]
    assert ids(search(fhir, date="2026-10-25T01:30+00:00")) == [appointments[second]]


def test_unescaped_plus_is_read_as_plus(fhir):
    appointment = AppointmentFactory(start_time=at(10))

    assert ids(fhir.get(f"{BASE}/Appointment?date=2026-11-25T11:00:00+01:00")) == [appointment.pk]


@pytest.mark.both_databases
def test_repeated_dates_are_combined_with_and_commas_with_or(fhir):
    appointments = list(around(at(9, day=24), at(9, day=25), at(9, day=26)).values())

    assert ids(search(fhir, date=["ge2026-11-25", "lt2026-11-26"])) == [appointments[1]]
    assert ids(search(fhir, date="2026-11-24,2026-11-26")) == [appointments[0], appointments[2]]


def test_malformed_date_is_refused(fhir, isolated):
    cases = [
        "tomorrow",
        "2026-02-30",
        "2026-13",
        "2026-1-1",
        "20261124",
        "1899-12-31",
        "2200-01-01",
        "9999-12-31",
        "10000-01-01",
        "0000",
        "2026-11-24T10:30",
        "2026-11-24T10:30:00",
        "2026-11-24T10Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T10:30:60Z",
        "2026-11-24T10:30:00+15:00",
        "2026-11-24T10:30:00+01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "xx2026-11-24",
        "ge",
        "ge ge2026-11-24",
        "",
        " ",
        ",",
        "2026-11-24,",
        "٢٠٢٦-١١-٢٤",
        "2026-11-24\0",
        "\ud800",
        "9" * 5000,
        ",".join(["2026-11-24"] * 21),
    ]
    for value in cases:
        with isolated(value=value):
            AppointmentFactory()
            address = "".join(f"%{byte:02x}" for byte in value.encode("utf-8", "surrogatepass"))

            response = fhir.get(f"{BASE}/Appointment?date={address}")

            assert read(response, 400)["resourceType"] == "OperationOutcome"


def test_surrogates_are_refused():
    with pytest.raises(values.FhirRefused):
        values.alternatives("name", "\ud800")


def test_approximate_date_is_not_supported(fhir):
    refused(search(fhir, date="ap2026-11-24"), 400, "not-supported")


# References, codes, ids


@pytest.fixture
def appointment(maria, okafor):
    AppointmentFactory(start_time=at(12))  # another user's
    return AppointmentFactory(patient=maria, doctor=okafor, start_time=at(10))


def test_search_finds_the_appointment(fhir, appointment, isolated):
    cases = [
        "patient={patient}",
        "patient=Patient/{patient}",
        "patient:Patient={patient}",
        f"patient={HERE}/Patient/{{patient}}",
        "patient=999999,{patient}",
        "practitioner={doctor}",
        "practitioner=Practitioner/{doctor}",
        "actor=Patient/{patient}",
        "actor=Practitioner/{doctor}",
        f"actor={HERE}/Practitioner/{{doctor}}",
        "actor:Patient={patient}",
        "actor:Practitioner={doctor}",
        "actor=Practitioner/{doctor}&actor=Patient/{patient}",
        "actor=Practitioner/999999,Patient/{patient}",
        "_id={pk}",
        "_id={pk},999999,abc",
        "status=booked&_id={pk}",
        "status=http://hl7.org/fhir/appointmentstatus|booked&_id={pk}",
        "status=proposed,booked&_id={pk}",
    ]
    for query in cases:
        with isolated(query=query):
            named = query.format(patient=appointment.patient_id, doctor=appointment.doctor_id, pk=appointment.pk)

            assert ids(fhir.get(f"{BASE}/Appointment?{named}")) == [appointment.pk]
            assert ids(fhir.post(f"{BASE}/Appointment/_search", named, content_type=FORM)) == [appointment.pk]


FORM = "application/x-www-form-urlencoded"


def test_search_does_not_find_the_appointment(fhir, appointment, isolated):
    cases = [
        "patient=999999",
        "patient=abc",
        "actor=Patient/999999&actor=Practitioner/{doctor}",
        "practitioner=" + "9" * 18,
        "practitioner=" + "9" * 19,
        "_id=abc",
        "status=proposed",
        "status=fulfilled",
        "_id={pk}&status=noshow,fulfilled",
    ]
    for query in cases:
        with isolated(query=query):
            response = fhir.get(f"{BASE}/Appointment?" + query.format(doctor=appointment.doctor_id, pk=appointment.pk))

            assert ids(response) == []
            assert response.json()["total"] == 0


def test_malformed_search_is_refused(fhir, appointment, isolated):
    cases = [
        "actor=7",
        "actor=Location/7",
        "actor=Patient/",
        "actor=Patient/7/_history/1",
        "actor=https://elsewhere.example.org/fhir/Patient/7",
        "patient=Practitioner/7",
        "patient=",
        "patient=%00",
        "patient=7%00",
        "patient=%ED%A0%80",
        "patient:Practitioner=7",
        "patient:identifier=7",
        "patient.name=Santos",
        "practitioner:missing=true",
        "_id=" + "9" * 65,
        "_id=7%008",
        "_id=" + ",".join(["7"] * 301),
        "status=here",
        "status=Booked",
        "status=",
        "status:not=booked",
        "status=http://example.org|booked",
        "_count=-1",
        "_count=x",
        "_count=1.5",
        "_count=",
        "_count=" + "9" * 5000,
        "_count=%00",
        "_sort=patient",
        "_sort=",
        "after=x",
        "after=%00",
        "after=1-1-1",
        "after=99999999999999-1",
        "after=-99999999999-1",
        "after=1-" + "9" * 19,
        "&".join(["date=2026-11-24"] * 21),
    ]
    for query in cases:
        with isolated(query=query):
            assert read(fhir.get(f"{BASE}/Appointment?{query}"), 400)["resourceType"] == "OperationOutcome"
            posted = fhir.post(f"{BASE}/Appointment/_search", query, content_type=FORM)
            assert read(posted, 400)["resourceType"] == "OperationOutcome"


@pytest.mark.both_databases
def test_extreme_but_valid_values_are_answered(fhir, appointment, subtests):
    for query in [f"after={'9' * 11}-{'9' * 18}", "after=-9999999999-1", "_id=" + "9" * 18]:
        with subtests.test(query=query):
            read(fhir.get(f"{BASE}/Appointment?{query}"))


def test_malformed_cursor_of_patients_is_refused(fhir, subtests):
    for query in ["after=x", "after=-1", "after=%00", f"after={'9' * 19}"]:
        with subtests.test(query=query):
            refused(fhir.get(f"{BASE}/Patient?{query}"), 400, "value")


@pytest.mark.both_databases
def test_many_ids_and_conditions_are_served(fhir, appointment):
    many = ",".join(str(number) for number in [*range(500_000, 500_299), appointment.pk])
    dates = ",".join(["2026-11-25"] * 20)

    response = fhir.get(f"{BASE}/Appointment?_id={many}&" + "&".join([f"date={dates}"] * 19))

    assert ids(response) == [appointment.pk]


# Unknown ids and parameters


def test_unknown_parameter_is_ignored_for_a_lenient_client(fhir, appointment, subtests):
    cases = ["handling=lenient", "respond-async, Handling=Lenient", "return=minimal; handling=lenient"]
    for prefer in cases:
        with subtests.test(prefer=prefer):
            address = f"{BASE}/Appointment?date=2026-11-25&location=Location/1&_include=Appointment:patient"

            response = fhir.get(address, headers={"Prefer": prefer})

            assert len(ids(response)) == 2
            assert parse_qs(urlsplit(link(response, "self")).query) == {"date": ["2026-11-25"], "_count": ["50"]}


def test_unknown_parameter_is_refused(fhir, appointment, subtests):
    for query in ["location=1", "_has:x:y:z=1", "_lastUpdated=gt2026", "_total=x", "a.b=1"]:
        for headers in [{}, {"Prefer": "handling=strict"}]:
            with subtests.test(query=query, headers=headers):
                refused(fhir.get(f"{BASE}/Appointment?{query}", headers=headers), 400, "not-supported")


# As fhirpy sends them: include(), revinclude(), elements(), elements(exclude=True) and count().
NOT_APPLIED = [
    "_include=Appointment:patient",
    "_include:iterate=Appointment:actor:Patient",
    "_revinclude=Encounter:appointment",
    "_elements=id,status,resourceType",
    "_elements:exclude=participant",
    "_totalMethod=count",
    "_summary=text",
]


def test_parameters_that_cannot_find_more_are_ignored(fhir, appointment, subtests):
    for query in NOT_APPLIED:
        with subtests.test(query=query):
            response = fhir.get(f"{BASE}/Appointment?date=2026-11-25&{query}")

            assert len(ids(response)) == 2
            assert parse_qs(urlsplit(link(response, "self")).query) == {"date": ["2026-11-25"], "_count": ["50"]}


def test_strict_client_learns_which_parameters_are_not_applied(fhir, appointment, subtests):
    for query in NOT_APPLIED:
        with subtests.test(query=query):
            response = fhir.get(f"{BASE}/Appointment?{query}", headers={"Prefer": "handling=strict"})

            refused(response, 400, "not-supported")


def test_count_of_fhirpy_is_the_total(fhir, appointment):
    bundle = read(fhir.get(f"{BASE}/Appointment?date=2026-11-25&_count=0&_totalMethod=count"))

    assert bundle["total"] == 2


def test_patient_is_found_by_the_portals_own_identifier(fhir, maria, subtests):
    PatientFactory()
    (patient,) = found(fhir.get(f"{BASE}/Patient?identifier={maria.pk}"))
    (own,) = patient["identifier"]

    assert patient["id"] == str(maria.pk)
    assert ids(fhir.get(f"{BASE}/Patient", {"identifier": f"{own['system']}|{own['value']}"})) == [maria.pk]
    assert ids(fhir.get(f"{BASE}/Patient", {"identifier": f"987654,{maria.pk}"})) == [maria.pk]
    for other in ["https://health.example/number|123", f"|{maria.pk}", f"{own['system']}|", "Santos", "9" * 40 + "x"]:
        with subtests.test(other=other):
            refused(fhir.get(f"{BASE}/Patient", {"identifier": other}), 400, "value")


@pytest.mark.both_databases
def test_name_prefix_with_too_many_matches_is_refused(fhir, maria, monkeypatch):
    monkeypatch.setattr(parameters, "MAX_CANDIDATES", 1)
    PatientFactory(last_name="Santana")

    refused(post(fhir, "Patient", family="Sant"), 400, "too-costly")
    assert ids(post(fhir, "Patient", family="Santos")) == [maria.pk]


def test_misspelt_criterion_does_not_list_all_patients(fhir, maria, subtests):
    cases = ["birthDate=1980", "Family=Santos", "_content=Santos", "_has:Appointment:patient:status=x"]
    for query in cases:
        with subtests.test(query=query):
            response = fhir.get(f"{BASE}/Patient?{query}")

            assert response.status_code == 400
            assert "Santos" not in response.content.decode()


def test_doctors_are_found_by_whether_they_are_active(fhir, isolated):
    for kind in ["Practitioner", "Schedule"]:
        with isolated(kind=kind):
            active, inactive = DoctorFactory(), DoctorFactory(is_active=False)

            assert ids(search(fhir, kind, active="true")) == [active.pk]
            assert ids(search(fhir, kind, active="false")) == [inactive.pk]
            assert ids(search(fhir, kind, active="true,false", _id=f"{inactive.pk}")) == [inactive.pk]
            refused(search(fhir, kind, active="yes"), 400, "value")


def test_schedule_is_found_by_its_doctor(fhir):
    DoctorFactory()
    doctor = DoctorFactory()

    assert ids(search(fhir, "Schedule", actor=f"Practitioner/{doctor.pk}")) == [doctor.pk]


# Patients, and their data


@pytest.fixture
def joao(db):
    return PatientFactory(
        first_name="João Pedro",
        last_name="dos Santos-Müller",
        email="jp@example.org",
        phone_number="+351 961 111 222",
        date_of_birth=dt.date(1980, 5, 17),
    )


@pytest.mark.both_databases
def test_patient_is_found_by_personal_data(fhir, maria, joao, isolated):
    cases = [
        {"name": "joao"},
        {"name": "JOÃO"},
        {"name": "muller pedro"},
        {"name": "dos santos-mü"},
        {"name": "Maria-Rita,joao"},
        {"name": "Maria\\,Rita,joao"},
        {"name": ["joao", "muller"]},
        {"family": "Santos", "given": "Pedro"},
        {"family": "Müller"},
        {"given": "Joao P"},
        {"email": "JP@example.org"},
        {"email": "email|jp@example.org"},
        {"phone": "961111222"},
        {"phone": "00351 961-111-222"},
        {"phone": "phone|+351961111222"},
        {"telecom": "+351 961 111 222"},
        {"telecom": "jp@example.org"},
        {"telecom": "phone|961111222,email|nobody@example.org"},
        {"birthdate": "1980-05-17"},
        {"birthdate": "1980-05"},
        {"birthdate": "1980"},
        {"birthdate": ["ge1980-05-17", "le1980-05-17"]},
        {"birthdate": ["gt1980-05-16", "lt1980-05-18"]},
        {"birthdate": "ne1980-05-18", "family": "Santos"},
    ]
    for sought in cases:
        with isolated(sought=sought):
            assert ids(post(fhir, "Patient", **sought)) == [joao.pk]


@pytest.mark.both_databases
def test_patient_is_not_found_by_incomplete_data(fhir, maria, joao, isolated):
    cases = [
        {"name": "oao"},
        {"name": "jp@example.org"},
        {"name": "jp"},  # so begins the e-mail, but no name
        {"name": "joao jp"},
        {"family": "Santos Pedro"},
        {"name": "961111222"},
        {"name": "..."},
        {"given": "Santos"},
        {"family": "Pedro"},
        {"name": ["joao", "maria"]},
        {"email": "jp@example"},
        {"email": "jp@éxample.org"},
        {"phone": "961111"},
        {"phone": "96"},
        {"birthdate": "1980-05-16"},
        {"birthdate": "gt1980-05-17"},
        {"birthdate": "lt1980-05-17"},
        {"birthdate": "sa1980"},
    ]
    for sought in cases:
        with isolated(sought=sought):
            response = post(fhir, "Patient", **sought)

            assert ids(response) == []
            assert link(response, "self") == f"{HERE}/Patient/_search?_count=50"


def test_malformed_personal_data_are_refused(fhir, joao, isolated):
    cases = [
        {"name": ""},
        {"name": "\0"},
        {"family": "Santos\x85"},
        {"name:exact": "João"},
        {"family:contains": "antos"},
        {"email": "phone|961111222"},
        {"phone": "email|jp@example.org"},
        {"telecom": "fax|961111222"},
        {"birthdate": "1980-05-17T10:00Z"},
        {"birthdate": "17/05/1980"},
        {"name": ",".join(["a"] * 21)},
    ]
    for sought in cases:
        with isolated(sought=sought):
            assert read(post(fhir, "Patient", **sought), 400)["resourceType"] == "OperationOutcome"


def test_personal_data_are_refused_in_the_url(fhir, maria, isolated):
    cases = ["name", "family", "given", "birthdate", "email", "phone", "telecom", "family:exact", "name.given"]
    for name in cases:
        with isolated(name=name):
            for response in (
                fhir.get(f"{BASE}/Patient?{name}=Santos"),
                fhir.post(f"{BASE}/Patient/_search?{name}=Santos", "", content_type=FORM),
            ):
                text = refused(response, 400, "security")
                assert "Patient/_search" in text
                assert "Santos" not in text


def test_links_of_a_patient_search_have_ids_and_no_personal_data(fhir):
    wanted = PatientFactory.create_batch(5, last_name="Lindqvist", date_of_birth=dt.date(1980, 5, 17))
    PatientFactory(last_name="Other")

    response = post(fhir, "Patient", family="lindqvist", birthdate="1980", _count=2)

    bundle = response.json()
    assert bundle["total"] == 5
    assert all(word not in each["url"].lower() for each in bundle["link"] for word in ("lindq", "1980", "birth"))
    assert link(response, "self") == f"{HERE}/Patient/_search?_count=2"
    listed = ",".join(str(each.pk) for each in wanted)
    assert link(response, "next") == f"{HERE}/Patient?_id={listed}&_count=2&after={wanted[1].pk}"
    assert [len(page) for page in pages(fhir, response)] == [2, 2, 1]


def test_search_with_too_many_matching_patients_is_refused(fhir, monkeypatch):
    monkeypatch.setattr("appointments.fhir.search.MAX_IDS", 3)
    PatientFactory.create_batch(3, last_name="Lindqvist")

    assert len(ids(post(fhir, "Patient", family="Lindqvist"))) == 3
    PatientFactory(last_name="Lindqvist")
    refused(post(fhir, "Patient", family="Lindqvist"), 400, "too-costly")


@pytest.mark.both_databases
def test_url_with_the_maximum_of_ids_is_short_enough_for_servers(fhir):
    longest = ",".join(["9999999"] * values.MAX_IDS)

    response = fhir.get(f"{BASE}/Patient?_id={longest}")

    assert ids(response) == []
    assert len(link(response, "self")) < 4000


# Pages


@pytest.fixture
def week(okafor):
    """Twenty-five appointments, five of them at each of five starts."""
    starts = [at(9 + number // 5) for number in range(25)]
    return [AppointmentFactory(start_time=start).pk for start in starts]


@pytest.mark.both_databases
def test_pages_show_each_appointment_once_and_in_order(fhir, week, isolated):
    for count in [1, 5, 24, 25, 26]:
        for sort in ["", "date", "-date"]:
            with isolated(count=count, sort=sort):
                first = search(fhir, _count=count, **({"_sort": sort} if sort else {}))

                shown = list(pages(fhir, first))

                assert [pk for page in shown for pk in page] == (week[::-1] if sort == "-date" else week)
                assert all(len(page) == count for page in shown[:-1])
                assert first.json()["total"] == 25


def test_pages_keep_the_search_parameters(fhir, week):
    noise = AppointmentFactory(start_time=at(9), status="no_show").pk

    shown = list(pages(fhir, search(fhir, date="ge2026-11-25", status="booked", _count=10, _sort="-date")))

    assert sorted(pk for page in shown for pk in page) == sorted(week)
    assert noise not in {pk for page in shown for pk in page}


@pytest.mark.both_databases
def test_appointment_added_between_pages_shifts_no_other(fhir, week):
    first = search(fhir, _count=10)
    earlier = AppointmentFactory(start_time=at(8)).pk
    later = AppointmentFactory(start_time=at(15)).pk

    shown = [pk for page in pages(fhir, first) for pk in page]

    assert shown == [*week, later]
    assert earlier not in shown


def test_pages_show_each_record_once(fhir, isolated):
    for kind in ["Patient", "Practitioner", "Schedule"]:
        with isolated(kind=kind):
            made = (PatientFactory if kind == "Patient" else DoctorFactory).create_batch(7)

            shown = list(pages(fhir, search(fhir, kind, _count=3)))

            assert shown == [[each.pk for each in made[start : start + 3]] for start in (0, 3, 6)]


def test_count_is_bounded(fhir, subtests):
    for asked, given in [("", 50), ("200", 200), ("201", 200), ("9" * 18, 200)]:
        with subtests.test(asked=asked, given=given):
            response = search(fhir, **({"_count": asked} if asked else {}))

            assert parse_qs(urlsplit(link(response, "self")).query)["_count"] == [str(given)]


def test_usual_page_has_fifty_rows(fhir):
    DoctorFactory.create_batch(51)

    assert [len(page) for page in pages(fhir, search(fhir, "Practitioner"))] == [50, 1]


def test_count_of_zero_returns_only_the_total(fhir, week, subtests):
    for how in [{"_count": 0}, {"_summary": "count"}]:
        for kind in ["Appointment", "Patient"]:
            with subtests.test(how=how, kind=kind):
                bundle = read(search(fhir, kind, **how))

                assert (bundle["total"], "entry" in bundle) == (25, False)
                assert [each["relation"] for each in bundle["link"]] == ["self"]


def test_total_is_omitted_if_not_requested(fhir, week):
    response = search(fhir, _total="none", _count=10)

    assert "total" not in response.json()
    assert [len(page) for page in pages(fhir, response)] == [10, 10, 5]
    assert "_total=none" in link(response, "next")


def test_large_total_is_given_only_if_requested(fhir, week, monkeypatch, subtests):
    for most, total in [(24, None), (25, 25)]:
        monkeypatch.setattr("appointments.fhir.search.MAX_COUNTED", most)
        for kind in ["Appointment", "Patient"]:
            with subtests.test(most=most, kind=kind):
                assert read(search(fhir, kind)).get("total") == total
                assert read(search(fhir, kind, _total="estimate")).get("total") == total
                assert read(search(fhir, kind, _total="accurate"))["total"] == 25


def test_self_link_returns_the_same_results(fhir, week):
    response = search(fhir, date=["ge2026-11-25T10:00:00+00:00", "lt2026-11-26"], status="booked,arrived", _count=7)

    again = fhir.get(link(response, "self").removeprefix("http://testserver"))

    assert again.json() == response.json()
    assert len(found(again)) == 7


# Queries


def appointments_of(client):
    return search(client)


def patients_by_name(client):
    return post(client, "Patient", name="Santos", birthdate="ge1900")


def test_search_makes_the_same_few_queries_for_3_and_for_30_rows(fhir, isolated):
    for look, queries in [(appointments_of, 4), (patients_by_name, 5)]:
        with isolated(look=look, queries=queries):
            born = dt.date(1980, 5, 17)
            for _number in range(3):
                AppointmentFactory(patient=PatientFactory(date_of_birth=born))
            look(fhir)  # the use of a token is recorded once a minute
            with CaptureQueriesContext(connection) as few:
                look(fhir)
            for _number in range(27):
                AppointmentFactory(patient=PatientFactory(date_of_birth=born))

            with CaptureQueriesContext(connection) as many:
                response = look(fhir)

            assert len(found(response)) == 30
            # The user's last search and its patients; `many` adds more to them.
            assert len(few) == len(many) - 1 == queries + SIGN_IN + 2
