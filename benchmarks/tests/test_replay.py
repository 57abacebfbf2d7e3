"""The replay of real demand: its requests, chosen times, and bookings through the portal."""

import datetime as dt
import lzma

import pytest
from django.core.management import CommandError

from appointments.models import Appointment
from benchmarks import replay
from benchmarks.replay import Diaries, Outcome, Request
from clinic.tests.kit import at, utc
from doctors.models import Doctor
from patients.models import Patient
from patients.tests.factories import PatientFactory

MONDAY = dt.date(2016, 5, 16)
TUESDAY = dt.date(2016, 5, 17)
HEADER = "PatientId,AppointmentID,ScheduledDay,AppointmentDay,Neighbourhood"

EIGHT, TWENTY_PAST, TWENTY_TO_NINE = (at(8, minute, day=30) for minute in (0, 20, 40))


def packed(path, rows):
    with lzma.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join([HEADER, *rows]))
    return path


def row(patient, number, scheduled="2016-05-01T10:00:00Z", day=MONDAY, neighbourhood="ILHA DO BOI"):
    return f"{patient},{number},{scheduled},{day}T00:00:00Z,{neighbourhood}"


@pytest.fixture
def data(tmp_path):
    """Twenty-six appointments in one neighbourhood on Monday, so two doctors, and one in another on Tuesday."""
    monday = [row(700 + n, n) for n in range(25)]
    return packed(
        tmp_path / "demand.csv.xz", [*monday, row(700, 25), row(800, 26, day=TUESDAY, neighbourhood="SANTA LÚCIA")]
    )


def test_read_requests_in_the_order_they_were_made(tmp_path):
    late, early = row(9, 1, scheduled="2016-05-02T08:00:00Z"), row(7, 2, scheduled="2016-05-01T08:00:00Z")
    again = row(9, 3, scheduled="2016-05-03T08:00:00Z", day=TUESDAY)

    requests = replay.read_requests(packed(tmp_path / "demand.csv.xz", [late, early, again]))

    assert requests == [
        Request(patient=1, neighbourhood="Ilha Do Boi", day=MONDAY),
        Request(patient=2, neighbourhood="Ilha Do Boi", day=MONDAY),
        Request(patient=2, neighbourhood="Ilha Do Boi", day=TUESDAY),
    ]


def test_doctors_needed_on_the_busiest_day():
    quiet = [Request(1, "Centro", TUESDAY)]
    doctors_by_requests = {1: 1, 24: 1, 25: 2, 48: 2, 49: 3}

    needed = {
        count: replay.doctors_needed([*quiet, *(Request(n, "Centro", MONDAY) for n in range(count))])["Centro"]
        for count in doctors_by_requests
    }

    assert needed == doctors_by_requests
    assert replay.doctors_needed(quiet) == {"Centro": 1}


def test_shift_to_future_keeps_the_weekday():
    first_by_today = {
        dt.date(2016, 5, 14): dt.date(2016, 5, 16),
        dt.date(2016, 5, 15): dt.date(2016, 5, 23),
        dt.date(2026, 11, 21): dt.date(2026, 11, 23),
        dt.date(2026, 11, 22): dt.date(2026, 11, 30),
    }

    found = {today: MONDAY + replay.shift_to_future({TUESDAY, MONDAY}, today=today) for today in first_by_today}

    assert found == first_by_today


def test_starts_cover_the_day_in_clinic_time():
    starts = replay.starts_on(dt.date(2026, 7, 1))

    assert len(starts) == 24
    assert starts[0] == utc(2026, 7, 1, 7, 0)
    assert starts[-1] == utc(2026, 7, 1, 14, 40)


def test_choose_returns_the_earliest_time_of_any_doctor():
    diaries = Diaries(doctors=[1, 2], doctor_taken={(1, EIGHT)}, patient_taken=set())

    assert diaries.choose([EIGHT, TWENTY_PAST]) == (EIGHT, 2)


def test_choose_skips_times_at_which_the_patient_is_busy():
    diaries = Diaries(doctors=[1, 2], doctor_taken=set(), patient_taken={EIGHT})

    assert diaries.choose([EIGHT, TWENTY_PAST]) == (TWENTY_PAST, 1)


def test_choose_skips_one_more_time_for_each_lost_race():
    diaries = Diaries(doctors=[1], doctor_taken={(1, EIGHT)}, patient_taken=set())

    assert diaries.choose([EIGHT, TWENTY_PAST, TWENTY_TO_NINE], tried=[(EIGHT, 1)]) == (TWENTY_TO_NINE, 1)
    assert diaries.choose([EIGHT, TWENTY_PAST], tried=[(EIGHT, 1)]) == (TWENTY_PAST, 1)


def test_choose_finds_nothing_on_a_full_day():
    diaries = Diaries(doctors=[1], doctor_taken={(1, EIGHT)}, patient_taken=set())

    assert diaries.choose([EIGHT]) is None
    assert not any(diaries.free([EIGHT]))


def test_milliseconds_by_nearest_rank():
    assert replay.milliseconds([n / 1000 for n in range(1, 101)]) == "50.0 / 95.0 / 99.0"
    assert replay.milliseconds([0.007]) == "7.0 / 7.0 / 7.0"
    assert replay.milliseconds([]) == "-"


def test_table_counts_refusals_by_reason():
    outcomes = [
        Outcome(replay.BOOKED, began=1, ended=1.5, booking_seconds=0.25, lost_races=2),
        Outcome(replay.DAY_FULL, began=2, ended=3),
    ]

    figures = dict(line.rsplit("  ", 1) for line in replay.table(outcomes).splitlines())

    assert {name.strip(): figure.strip() for name, figure in figures.items()} == {
        "requests": "2",
        "booked": "1",
        "refused: day full": "1",
        "lost races, then another time was tried": "2",
        "seconds": "2.0",
        "bookings per second": "0.5",
        "ms a booking, p50 / p95 / p99": "250.0 / 250.0 / 250.0",
        "ms with the search for a time": "500.0 / 500.0 / 500.0",
    }


@pytest.mark.both_databases
def test_replay_books_a_day_through_the_portal(db, now, data, capsys):
    replay.main(["--data", str(data), "--day", "2016-05-16"])

    assert Patient.objects.count() == 26
    assert list(Doctor.objects.values_list("full_name", "specialization")) == [
        ("Dr Ilha Do Boi 1", "Ilha Do Boi"),
        ("Dr Ilha Do Boi 2", "Ilha Do Boi"),
        ("Dr Santa Lúcia 1", "Santa Lúcia"),
    ]
    assert Appointment.objects.on_day(dt.date(2026, 11, 30)).count() == 26
    assert "/schedule/2026-11-30/" in capsys.readouterr().out


@pytest.mark.both_databases
def test_replay_again_registers_no_patient_twice(db, now, data, capsys):
    for _time in range(2):
        replay.main(["--data", str(data), "--day", "all"])

    assert Patient.objects.count() == 26
    assert Doctor.objects.count() == 3
    assert Appointment.objects.count() == 2 * 24 + 2
    assert "refused: day full" in capsys.readouterr().out


def test_replay_a_patient_with_no_time_left_is_refused(db, now, tmp_path, capsys):
    elsewhere = [row(1, n, neighbourhood="CENTRO") for n in range(24)]
    path = packed(tmp_path / "demand.csv.xz", [*elsewhere, row(1, 24)])

    replay.main(["--data", str(path)])

    assert Appointment.objects.count() == 24
    assert replay.PATIENT_BUSY in capsys.readouterr().out


def test_replay_tries_the_next_time_after_a_lost_race(db, now, data, monkeypatch):
    refusals = iter([replay.OUTRUN, replay.OUTRUN, replay.BOOKED])
    asked = []
    monkeypatch.setattr(replay, "ask", lambda *choice: asked.append(choice[-1]) or next(refusals))
    request = replay.demand_of(data, "2016-05-17")[0]

    outcome = replay.serve(request)

    assert (outcome.result, outcome.lost_races) == (replay.BOOKED, 2)
    assert len(set(asked)) == 3


def test_replay_refuses_a_clinics_database(db, now, data, capsys):
    PatientFactory(email="maria@example.org")

    with pytest.raises(SystemExit) as stop:
        replay.main(["--data", str(data)])

    assert stop.value.code == 1
    assert "not from a replay" in capsys.readouterr().err
    assert not Doctor.objects.exists()


def test_replay_of_a_day_without_requests(db, now, data):
    with pytest.raises(CommandError):
        replay.demand_of(data, "2016-05-15")
