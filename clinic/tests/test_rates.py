"""How often one user may open pages. The API's rate is in `test_api.py`."""

import re

import pytest
from django.core.cache import cache

from clinic.models import SavedForm
from clinic.ops import rate_limit
from clinic.tests.api_client import ApiClient
from clinic.tests.factories import UserFactory

pytestmark = pytest.mark.usefixtures("db")

PAGE = "/patients/"


@pytest.fixture(autouse=True)
def three_a_minute(settings, now):
    settings.PAGES_A_MINUTE = 3
    cache.clear()


def test_too_many_pages_are_answered_429_until_the_minute_is_over(at_desk, now):
    now.shift(20)

    answers = [at_desk.get(PAGE) for _page in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3]["Retry-After"] == "40"
    now.shift(40)
    assert at_desk.get(PAGE).status_code == 200


def test_keys_of_the_cache_consist_of_numbers(at_desk, receptionist, settings, monkeypatch):
    settings.API_CALLS_A_MINUTE = 3
    keys, count = [], rate_limit._count
    monkeypatch.setattr(rate_limit, "_count", lambda key: keys.append(key) or count(key))

    at_desk.get(PAGE)
    ApiClient(receptionist).get("/doctors")

    assert len(keys) == 2
    assert [key for key in keys if not re.fullmatch(r"calls-(user|token)-\d+-\d+", key)] == []


def test_rate_limit_of_one_user_does_not_affect_others(at_desk, client):
    for _page in range(4):
        at_desk.get(PAGE)
    client.force_login(UserFactory(role="Receptionist"))

    assert client.get(PAGE).status_code == 200


def test_rate_limited_request_is_not_processed(at_desk, patient):
    for _page in range(3):
        at_desk.get(PAGE)

    response = at_desk.post(f"/patients/{patient.pk}/edit/", {"first_name": "Changed"})

    assert response.status_code == 429
    patient.refresh_from_db()
    assert patient.first_name != "Changed"


@pytest.mark.parametrize("page", ["/accounts/kept-form/?path=/patients/new/", "/patients/new/"])
def test_ended_session_keeps_forms_at_the_rate_of_its_user(at_desk, now, page):
    now.shift(15 * 60)
    form = {"data": "first_name=Nuno", "content_type": "application/x-www-form-urlencoded"}

    answers = [at_desk.post(page, **form) for _form in range(3)]
    SavedForm.objects.all().delete()
    refused = at_desk.post(page, **form)

    assert 429 not in [answer.status_code for answer in answers]
    assert refused.status_code == 429
    assert refused["Retry-After"] == "60"
    assert not SavedForm.objects.exists()


def test_rate_can_be_switched_off(at_desk, settings):
    settings.PAGES_A_MINUTE = 0

    assert {at_desk.get(PAGE).status_code for _page in range(5)} == {200}
