"""Emergency access: the paper backup with all names, for at most a day, with each use recorded."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from appointments.models import EmergencyGrant
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import ADMINISTRATOR
from clinic.models import AuditEntry, Event
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, codes_in
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

PACK = "/schedule/pack/"
ADD = "/admin/appointments/emergencygrant/add/"
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def booked(db, now):
    patient = PatientFactory(first_name="Maria", last_name="Emergencia", phone_number="912 000 999")
    return AppointmentFactory(patient=patient, reason="Chest pain")


def grant_to(user, **fields):
    given = {"granted_by": UserFactory(role=ADMINISTRATOR), "reason": "The server room floods", "ends_at": NOW + HOUR}
    return EmergencyGrant.objects.create(user=user, **given | fields)


def page_text(client, address=PACK):
    return client.get(address).content.decode()


def is_unredacted(text):
    found = {value in text for value in ("Maria Emergencia", "912 000 999", "Chest pain")}
    assert len(found) == 1
    return found == {True}


# Permissions


def test_grant_shows_all_names_with_a_notice(client, request, isolated):
    for person in ["manager", "doctor_user"]:
        with isolated(person=person):
            user = request.getfixturevalue(person)
            client.force_login(user)
            assert not is_unredacted(page_text(client))

            grant_to(user)

            text = page_text(client)
            assert is_unredacted(text)
            assert 'class="notice"' in text


def test_grant_that_is_not_in_force_shows_initials(client, manager, isolated):
    cases = {
        "ends now": {"granted_at": NOW - 2 * HOUR, "ends_at": NOW},
        "expired": {"granted_at": NOW - 2 * HOUR, "ends_at": NOW - HOUR},
        "ended": {"ended_at": NOW},
        "not yet": {"granted_at": NOW + HOUR, "ends_at": NOW + 2 * HOUR},
    }
    for case, fields in cases.items():
        with isolated(case):
            grant_to(manager, **fields)
            client.force_login(manager)

            text = page_text(client)

            assert not is_unredacted(text)
            assert 'class="notice"' not in text
            assert not AuditEntry.objects.filter(event=Event.EMERGENCY).exists()


def test_grant_ends_by_itself(client, manager, now):
    grant_to(manager, ends_at=NOW + HOUR)
    now.shift(HOUR - dt.timedelta(seconds=1))
    client.force_login(manager)
    assert is_unredacted(page_text(client))

    now.shift(dt.timedelta(seconds=1))

    assert not is_unredacted(page_text(client))


def test_ended_grant_stops_working_at_the_next_request(client, manager):
    grant = grant_to(manager)
    client.force_login(manager)
    assert is_unredacted(page_text(client))

    grant.end()

    assert not is_unredacted(page_text(client))


def test_grant_to_another_user_shows_nothing(client, manager, doctor_user):
    grant_to(doctor_user)
    client.force_login(manager)

    assert not is_unredacted(page_text(client))


def test_grant_shows_nothing_to_an_inactive_user(client, manager):
    grant_to(manager)
    client.force_login(manager)
    manager.is_active = False
    manager.save()

    assert client.get(PACK).status_code == 302
    assert EmergencyGrant.objects.in_force(manager, at=NOW) is None


def test_grant_does_not_give_access_to_the_page_itself(client):
    user = UserFactory()
    grant_to(user)
    client.force_login(user)

    assert client.get(PACK).status_code == 403


def test_grant_applies_only_to_the_paper_backup(client, manager, booked, isolated):
    for address in ["/schedule/2026-11-24/print/", "/schedule/2026-11-24/", "/schedule/next/print/"]:
        with isolated(address=address):
            grant_to(manager)
            client.force_login(manager)

            assert not is_unredacted(page_text(client, address))
            assert client.get(f"/patients/{booked.patient_id}/").status_code == 403


def test_schedule_shows_a_current_grant_with_a_link(client, manager, doctor_user, isolated):
    for user in [manager, doctor_user]:
        for address in ["/", "/schedule/2026-11-26/", "/schedule/2026-11-24/?layout=list"]:
            with isolated(user=user.username, address=address):
                client.force_login(user)
                assert "Emergency access" not in page_text(client, address)
                grant_to(user)

                text = page_text(client, address)

                assert "Emergency access until Tue 24 Nov, 10:00" in text
                assert f'<a href="{PACK}?now=1">paper backup</a>' in text


def test_schedule_does_not_mention_an_inactive_grant(client, manager, isolated):
    for fields in [{"ended_at": NOW}, {"granted_at": NOW - 2 * HOUR, "ends_at": NOW}]:
        with isolated(fields=fields):
            grant_to(manager, **fields)
            client.force_login(manager)

            assert "Emergency access" not in page_text(client, "/")


def test_schedule_does_not_query_grants_for_users_who_see_all_names(client, request, isolated):
    for person in ["receptionist", "administrator"]:
        with isolated(person=person):
            client.force_login(request.getfixturevalue(person))

            with CaptureQueriesContext(connection) as made:
                client.get("/")

            assert not any("emergencygrant" in query["sql"] for query in made.captured_queries)


@pytest.mark.both_databases
def test_each_use_is_recorded_with_the_grant(client, manager):
    grant = grant_to(manager)
    client.force_login(manager)

    for _ in range(2):
        client.get(PACK)

    entries = AuditEntry.objects.filter(event=Event.EMERGENCY)
    assert [(each.actor, each.object_id, each.content_type.model) for each in entries] == [
        (manager, grant.pk, "emergencygrant")
    ] * 2


@pytest.mark.both_databases
def test_pack_is_not_shown_if_its_use_cannot_be_recorded(client, manager, monkeypatch):
    grant_to(manager)
    client.force_login(manager)
    monkeypatch.setattr(AuditEntry, "save", lambda *_args, **_kwargs: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        client.get(PACK)


def test_receptionist_needs_no_grant_and_no_grant_query(at_desk, django_assert_max_num_queries):
    with django_assert_max_num_queries(17) as made:
        assert is_unredacted(page_text(at_desk))

    assert not any("emergencygrant" in query["sql"] for query in made)
    assert not AuditEntry.objects.filter(event=Event.EMERGENCY).exists()


# Rules


def test_grant_lasts_at_most_a_day(manager, administrator, subtests):
    cases = [
        (dt.timedelta(0), True),
        (dt.timedelta(minutes=1), False),
        (dt.timedelta(hours=24), False),
        (dt.timedelta(hours=24, seconds=1), True),
    ]
    for span, is_refused in cases:
        with subtests.test(span=span, is_refused=is_refused):
            grant = EmergencyGrant(user=manager, granted_by=administrator, reason="Flood", ends_at=NOW + span)

            if not is_refused:
                grant.full_clean()
                continue
            with pytest.raises(ValidationError) as refusal:
                grant.full_clean()

            assert codes_in(refusal.value) == {"ends_at": ["emergency_span"]}


@pytest.mark.both_databases
def test_database_refuses_a_longer_grant(manager):
    with pytest.raises(IntegrityError), transaction.atomic():
        grant_to(manager, ends_at=NOW + dt.timedelta(hours=25))


def test_users_cannot_grant_access_to_themselves(administrator):
    grant = EmergencyGrant(user=administrator, granted_by=administrator, reason="Flood", ends_at=NOW + HOUR)

    with pytest.raises(ValidationError) as refusal:
        grant.full_clean()

    assert codes_in(refusal.value) == {"user": ["emergency_self"]}


def test_grant_to_an_inactive_user_is_refused(administrator):
    user = UserFactory(is_active=False)
    grant = EmergencyGrant(user=user, granted_by=administrator, reason="Flood", ends_at=NOW + HOUR)

    with pytest.raises(ValidationError) as refusal:
        grant.full_clean()

    assert codes_in(refusal.value) == {"user": ["inactive_user"]}


def test_grant_to_a_user_who_sees_all_names_is_refused(request, isolated):
    for person in ["receptionist", "administrator"]:
        with isolated(person=person):
            user = request.getfixturevalue(person)
            grant = EmergencyGrant(user=user, granted_by=UserFactory(), reason="Flood", ends_at=NOW + HOUR)

            with pytest.raises(ValidationError) as refusal:
                grant.full_clean()

            assert codes_in(refusal.value) == {"user": ["emergency_needless"]}


# The admin


def form(user, **fields):
    return {"user": user.pk, "reason": "Flood", "ends_at_0": "24/11/2026", "ends_at_1": "12:00"} | fields


def test_admin_grants_in_the_administrators_name(in_admin, administrator, manager):
    response = in_admin.post(ADD, form(manager))

    grant = EmergencyGrant.objects.get()
    assert response.status_code == 302
    assert (grant.user, grant.granted_by, grant.granted_at, grant.ends_at) == (
        manager,
        administrator,
        NOW,
        NOW + 3 * HOUR,
    )
    entry = AuditEntry.objects.get_for_object(grant).get()
    assert (entry.actor, entry.changes_dict["reason"]) == (administrator, ["None", "Flood"])


def test_admin_refuses_invalid_grants(in_admin, manager, isolated):
    cases = [
        ({"reason": ""}, "reason", "required"),
        ({"ends_at_0": "26/11/2026"}, "ends_at", "emergency_span"),
        ({"ends_at_1": "08:59"}, "ends_at", "emergency_span"),
    ]
    for fields, field, code in cases:
        with isolated(fields=fields, field=field, code=code):
            response = in_admin.post(ADD, form(manager, **fields))

            assert response.context["adminform"].form.has_error(field, code)
            assert not EmergencyGrant.objects.exists()


def test_admin_refuses_a_grant_to_oneself(in_admin, administrator):
    response = in_admin.post(ADD, form(administrator))

    assert response.context["adminform"].form.has_error("user", "emergency_self")
    assert not EmergencyGrant.objects.exists()


def test_admin_refuses_a_grant_without_effect(in_admin, receptionist):
    response = in_admin.post(ADD, form(receptionist))

    assert response.context["adminform"].form.has_error("user", "emergency_needless")
    assert not EmergencyGrant.objects.exists()


def test_admin_explains_what_a_grant_shows(in_admin):
    text = page_text(in_admin, ADD)

    assert "shows the user all names and phone numbers" in text
    assert "for managers and doctors" in text


@pytest.mark.both_databases
def test_admin_ends_a_grant_permanently(in_admin, administrator, manager, now):
    grant = grant_to(manager)
    for _ in range(2):
        in_admin.post(
            "/admin/appointments/emergencygrant/", {"action": "end", "_selected_action": [grant.pk], "index": 0}
        )
        now.shift(60)

    grant.refresh_from_db()
    assert grant.ended_at == NOW
    entry = AuditEntry.objects.get_for_object(grant).order_by("pk").last()
    assert (entry.actor, list(entry.changes_dict)) == (administrator, ["ended_at"])


def test_admin_cannot_change_a_grant(in_admin, manager, doctor_user):
    grant = grant_to(manager)

    in_admin.post(f"/admin/appointments/emergencygrant/{grant.pk}/change/", form(doctor_user, ends_at_1="23:00"))

    grant.refresh_from_db()
    assert (grant.user, grant.ends_at) == (manager, NOW + HOUR)


def test_admin_cannot_delete_a_grant(in_admin, manager):
    grant = grant_to(manager)

    assert in_admin.post(f"/admin/appointments/emergencygrant/{grant.pk}/delete/", {"post": "yes"}).status_code == 403
    assert EmergencyGrant.objects.exists()


def test_list_shows_the_state(in_admin, manager, isolated):
    cases = [
        ({}, "in force"),
        ({"ended_at": NOW}, "ended"),
        ({"granted_at": NOW - 2 * HOUR, "ends_at": NOW - HOUR}, "expired"),
    ]
    for fields, state in cases:
        with isolated(fields=fields, state=state):
            grant_to(manager, **fields)

            assert state in in_admin.get("/admin/appointments/emergencygrant/").content.decode()


def test_list_counts_the_grants_in_words(in_admin, manager, doctor_user):
    grant_to(manager)
    grant_to(doctor_user)

    assert "2 grants of emergency access" in in_admin.get("/admin/appointments/emergencygrant/").content.decode()


def test_refused_period_explains_the_limit(manager, administrator, subtests):
    for ends_at in [NOW - HOUR, NOW + dt.timedelta(hours=25)]:
        with subtests.test(ends_at=ends_at):
            grant = EmergencyGrant(user=manager, granted_by=administrator, reason="Flood", ends_at=ends_at)

            with pytest.raises(ValidationError, match="must end within the next 24 hours"):
                grant.full_clean()
