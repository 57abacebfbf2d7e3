"""Units of work: which errors are retried, and how often."""

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, OperationalError, transaction

from clinic.db import transactions
from clinic.db.transactions import MAX_TRIES, LostRace, is_lock_conflict, is_lost_connection, retrying
from clinic.tests.kit import codes_in

pytestmark = pytest.mark.django_db(transaction=True)

LOCK_CONFLICTS = {
    "deadlock": OperationalError(1213, "Deadlock found when trying to get lock"),
    "lock wait": OperationalError(1205, "Lock wait timeout exceeded"),
    "busy": OperationalError("database is locked"),
}
DEADLOCK = LOCK_CONFLICTS["deadlock"]
LOST_RACES = [LostRace("taken", code="doctor_overlap"), IntegrityError("unique")]


class Work:
    """A unit of work that raises the given errors, one per call, and then returns "done"."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def run(work):
    return retrying(lambda: work())()


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Collect the waits instead of waiting."""
    waited = []
    monkeypatch.setattr(transactions.time, "sleep", waited.append)
    return waited


def test_retrying_work_that_succeeds_runs_once(waits):
    work = Work()

    result = run(work)

    assert result == "done"
    assert work.calls == 1
    assert waits == []


def test_retrying_a_lock_conflict_runs_again_after_a_wait(waits):
    for error in LOCK_CONFLICTS.values():
        work = Work(error)
        waits.clear()

        result = run(work)

        assert (result, work.calls, len(waits)) == ("done", 2, 1), error


def test_retrying_passes_arguments_and_result():
    @retrying
    def add(one, *, other):
        return one + other

    assert add(1, other=2) == 3


def test_retrying_a_conflict_at_all_tries_but_the_last_succeeds():
    work = Work(*[DEADLOCK] * (MAX_TRIES - 1))

    result = run(work)

    assert result == "done"
    assert work.calls == MAX_TRIES == 12


def test_retrying_a_conflict_at_every_try_raises_it_after_the_twelfth(waits):
    work = Work(*[DEADLOCK] * 20)

    with pytest.raises(OperationalError) as raised:
        run(work)

    assert raised.value is DEADLOCK
    assert work.calls == 12
    assert len(waits) == 11


def test_retrying_waits_longer_each_time_within_bounds(waits):
    run(Work(*[DEADLOCK] * 11))

    longest = [0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.256, 0.256, 0.256, 0.256]
    assert all(most / 2 <= waited <= most for waited, most in zip(waits, longest, strict=True))


def test_retrying_waits_differ_from_run_to_run(waits):
    for _ in range(5):
        run(Work(DEADLOCK))

    assert len(set(waits)) > 1


def test_retrying_a_lost_race_runs_once_more_without_a_wait(waits):
    for lost in LOST_RACES:
        work = Work(lost)

        result = run(work)

        assert (result, work.calls, waits) == ("done", 2, []), lost


def test_retrying_a_race_lost_twice_raises():
    for lost in LOST_RACES:
        work = Work(lost, lost, lost)

        with pytest.raises(type(lost)) as raised:
            run(work)

        assert raised.value is lost
        assert work.calls == 2, lost


def test_retrying_a_lost_race_shows_the_refusal_of_the_second_run():
    work = Work(LostRace("taken", code="doctor_overlap"), ValidationError("taken", code="doctor_overlap"))

    with pytest.raises(ValidationError) as refusal:
        run(work)

    assert type(refusal.value) is ValidationError
    assert work.calls == 2


def test_retrying_a_lost_race_and_conflicts_succeeds():
    work = Work(DEADLOCK, LostRace("taken"), DEADLOCK)

    result = run(work)

    assert result == "done"
    assert work.calls == 4


def test_retrying_a_race_lost_at_the_last_try_raises_it():
    for lost in LOST_RACES:
        with pytest.raises(type(lost)) as raised:
            run(Work(*[DEADLOCK] * 11, lost, lost))

        assert raised.value is lost


def test_retrying_raises_any_other_error_at_once():
    errors = [
        ValidationError("no", code="past"),
        OperationalError(2013, "Lost connection"),
        OperationalError("no such table"),
        DatabaseError(),
        ValueError("bug"),
    ]
    for error in errors:
        work = Work(error)

        with pytest.raises(type(error)) as raised:
            run(work)

        assert raised.value is error
        assert work.calls == 1, error


@pytest.mark.both_databases
def test_retrying_inside_a_transaction_raises_every_error():
    for error in (DEADLOCK, LostRace("taken"), IntegrityError("unique")):
        work = Work(error)

        with pytest.raises(type(error)), transaction.atomic():
            run(work)

        assert work.calls == 1, error


@pytest.mark.both_databases
def test_retrying_nested_retries_only_the_outermost():
    inner = Work(DEADLOCK)
    outer_calls = []

    @retrying
    def outer():
        outer_calls.append(1)
        with transaction.atomic():
            return run(inner)

    assert outer() == "done"
    assert len(outer_calls) == inner.calls == 2


def test_is_lock_conflict_is_true_of_locks_only():
    others = [OperationalError(2013, "gone"), OperationalError("disk I/O error"), DatabaseError(), ValueError(1213)]

    assert [error for error in LOCK_CONFLICTS.values() if not is_lock_conflict(error)] == []
    assert [error for error in others if is_lock_conflict(error)] == []


def test_is_lost_connection_is_true_of_broken_connections_only():
    broken = [OperationalError(number, "gone") for number in (2002, 2003, 2006, 2013)]
    others = [OperationalError(1213, "deadlock"), DatabaseError(), OperationalError("locked"), ValueError(2013)]

    assert [error for error in broken if not is_lost_connection(error)] == []
    assert [error for error in others if is_lost_connection(error)] == []


def test_lost_race_keeps_fields_and_codes():
    error = ValidationError({"start_time": [ValidationError("taken", code="doctor_overlap")]})

    race = LostRace(error)

    assert codes_in(race) == {"start_time": ["doctor_overlap"]}
