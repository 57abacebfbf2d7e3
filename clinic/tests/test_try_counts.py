"""Failed attempts of strangers: few audit entries, and a number for the others."""

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.accounts.lockout import MAX_FROM_ADDRESS
from clinic.audit.actor import acting
from clinic.audit.try_counts import MAX_ADDRESSES, MAX_ENTRIES, period_of
from clinic.audit_trail.entries import describe_entries
from clinic.models import AuditEntry, Event, TryCount, User
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, Cases
from clinic.tests.test_login import COOL_OFF, MAX_FROM_ONE_FOR_ONE, can_log_in, sign_in
from clinic.tests.trail import entries

pytestmark = pytest.mark.usefixtures("db", "now")

NEXT = dt.timedelta(minutes=15)


def failed():
    return entries(event=Event.SIGN_IN_FAILED)


def words_of(entry):
    (row,) = describe_entries([entry])
    return row


def close(now):
    now.shift(NEXT)
    return TryCount.objects.close(at=NOW + NEXT)


# Attempts during a lock


@pytest.mark.both_databases
def test_attempts_during_a_lock_become_one_entry_with_their_number(receptionist, now):
    for _ in range(40):
        sign_in()

    assert len(failed()) == MAX_FROM_ONE_FOR_ONE
    assert [entry.additional_data for entry in failed()] == [None] * 4 + [{"locks": "user_here"}]
    assert close(now) == 1
    last = failed()[-1]
    assert len(failed()) == MAX_FROM_ONE_FOR_ONE + 1
    assert (last.object_id, last.remote_addr, last.actor) == (None, "10.0.0.1", None)
    assert last.additional_data == {"tries": 35, "since": NOW.isoformat(), "until": NOW.isoformat()}


def test_trail_shows_what_is_locked_and_how_many_attempts_followed(receptionist, now):
    for _ in range(8):
        sign_in()
    close(now)

    assert words_of(failed()[-2]).details == ["locks this user at this address"]
    row = words_of(failed()[-1])
    assert (row.what, row.address) == ("failed to sign in", "10.0.0.1")
    assert row.details[0] == "3 more attempts"
    assert "24 Nov" in row.details[1] or "24/11" in row.details[1] or "2026" in row.details[1]


def test_entry_says_which_limit_was_reached(receptionist):
    with Cases() as case:
        for name, attempts in {
            "user": [{"address": f"10.0.1.{number}"} for number in range(15)],
            "address": [{"username": f"somebody{number}"} for number in range(MAX_FROM_ADDRESS)],
        }.items():
            with case(name):
                for attempt in attempts:
                    sign_in(**attempt)

                assert failed()[-1].additional_data == {"locks": name}


@pytest.mark.both_databases
def test_attempt_during_a_lock_takes_few_queries_and_one_write(receptionist):
    for _ in range(MAX_FROM_ONE_FOR_ONE + 1):
        sign_in()

    with CaptureQueriesContext(connection) as queries:
        sign_in()

    sql = [query["sql"].split()[0] for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert sql == ["SELECT", "SELECT", "UPDATE"]


@pytest.mark.both_databases
def test_locked_attempt_makes_the_same_queries_for_unknown_users(receptionist, manager):
    for number in range(MAX_FROM_ADDRESS + 1):
        sign_in(username=f"somebody{number}")
    counts = []
    for username in ["manager", "unknown", "reception", "unknown too"]:
        with CaptureQueriesContext(connection) as queries:
            sign_in(username=username)
        counts.append(len(queries))

    assert len(set(counts)) == 1


# Whatever strangers do, the number of entries is limited


@pytest.mark.both_databases
def test_many_addresses_cannot_write_more_entries_than_the_limit(receptionist, now):
    for number in range(MAX_ENTRIES + 5):
        sign_in(username=f"somebody{number}", address=f"2001:db8:{number:x}::1")
    assert len(failed()) == MAX_ENTRIES
    for number in range(MAX_ADDRESSES + 20):
        sign_in(username="unknown", address=f"2001:db8:1:{number:x}::1")

    assert len(failed()) == MAX_ENTRIES
    assert TryCount.objects.count() == MAX_ADDRESSES + 1
    assert close(now) == MAX_ADDRESSES + 1
    counted = failed()[MAX_ENTRIES:]
    assert sum(entry.additional_data["tries"] for entry in counted) == 5 + MAX_ADDRESSES + 20
    rest = [entry for entry in counted if entry.remote_addr is None]
    assert [entry.additional_data["from_other_addresses"] for entry in rest] == [True]
    assert "from other addresses" in words_of(rest[0]).details


def test_addresses_of_one_ipv6_subscriber_share_a_number(receptionist):
    for number in range(50):
        sign_in(address=f"2001:db8:1:2::{number:x}")

    assert len(failed()) == MAX_FROM_ONE_FOR_ONE
    assert TryCount.objects.get().address == "2001:db8:1:2::"


def test_day_of_attempts_from_one_address_writes_few_entries(receptionist, now):
    written = 0
    for _quarter in range(4):
        for number in range(MAX_FROM_ADDRESS + 20):
            sign_in(username=f"somebody{number}")
        now.shift(NEXT + dt.timedelta(seconds=1))
    TryCount.objects.close(at=NOW + 5 * NEXT)

    written = len(failed())
    assert written == 4 * (MAX_FROM_ADDRESS + 1)


def test_next_period_has_room_for_entries_again(receptionist, now):
    for number in range(MAX_ENTRIES + 1):
        sign_in(username=f"somebody{number}", address=f"10.1.0.{number}")
    now.shift(NEXT)

    sign_in(address="10.2.0.1")

    assert failed()[-1].object_id == receptionist.pk


# Numbers


@pytest.mark.both_databases
def test_number_is_written_once_although_two_processes_close_it():
    TryCount.objects.add(Event.SIGN_IN_FAILED, User, address="10.0.0.1", at=NOW)
    (pk,) = TryCount.objects.values_list("pk", flat=True)

    closed = [TryCount.objects.all()._close_one(pk) for _process in range(2)]

    assert closed == [1, 0]
    assert len(failed()) == 1


def test_number_of_the_current_period_stays_open():
    TryCount.objects.add(Event.SIGN_IN_FAILED, User, address="10.0.0.1", at=NOW)

    assert TryCount.objects.close(at=NOW + NEXT - dt.timedelta(seconds=1)) == 0
    assert TryCount.objects.get().tries == 1


def test_number_is_not_attributed_to_whoever_signs_in_next(receptionist, now):
    for _ in range(7):
        sign_in(address="10.0.0.9")
    now.shift(NEXT)

    assert can_log_in()

    entry = failed()[-1]
    assert (entry.additional_data["tries"], entry.actor, entry.remote_addr) == (2, None, "10.0.0.9")


def test_number_of_other_addresses_has_no_address_of_the_request():
    TryCount.objects.add(Event.SIGN_IN_FAILED, User, address="", at=NOW)

    with acting(UserFactory(), address="10.0.0.7", token=7):
        TryCount.objects.close(at=NOW + NEXT)

    (entry,) = failed()
    assert (entry.actor, entry.remote_addr, entry.token_id) == (None, None, None)


def test_first_attempt_of_another_process_is_counted_with_its_row(monkeypatch):
    """Another process has made the row between this one's UPDATE and its INSERT."""
    attempts = TryCount.objects.all()
    TryCount.objects.add(Event.SIGN_IN_FAILED, User, address="10.0.0.1", at=NOW)

    attempts._add_first(Event.SIGN_IN_FAILED, User, address="10.0.0.1", at=NOW)

    assert TryCount.objects.get().tries == 2


def test_period_is_a_quarter_of_an_hour_of_the_clock():
    with Cases() as case:
        for minute, starts in [(0, 0), (14, 0), (15, 15), (59, 45)]:
            with case(str(minute)):
                assert period_of(NOW.replace(minute=minute, second=59)) == NOW.replace(minute=starts)


# An operator unlocks an address


def test_operator_unlocks_an_address(receptionist, capsys):
    with Cases() as case:
        for address, typed in [("10.0.0.1", "10.0.0.1"), ("2001:db8:1:2::7", "2001:db8:1:2:ffff::1")]:
            with case(address):
                for number in range(MAX_FROM_ADDRESS):
                    sign_in(username=f"somebody{number}", address=address)

                call_command("unlock_address", typed)

                assert can_log_in(address=address)
                assert capsys.readouterr().out == f"{MAX_FROM_ADDRESS} wrong passwords forgotten.\n"
                entry = AuditEntry.objects.get(event=Event.CREDENTIAL, additional_data__what="address_unlocked")
                assert words_of(entry).details == ["unlocked an address", f"address {typed}"]


def test_text_that_is_no_address_is_refused():
    with pytest.raises(CommandError, match="not an IP address"):
        call_command("unlock_address", "reception")


def test_lock_of_a_pair_ends_with_its_address(receptionist):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in()

    call_command("unlock_address", "10.0.0.1")

    assert can_log_in()


def test_cool_off_is_as_long_as_a_period():
    assert COOL_OFF == NEXT
