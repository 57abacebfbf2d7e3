"""Whatever an admin page's address contains: only what the page's own links send reaches the database."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from clinic.models import AuditEntry
from clinic.tests.crawl import plant
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases, elements
from doctors.tests.factories import ClosureFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MODELS = [model for model in apps.get_models() if admin.site.is_registered(model)]
LISTED = [model for model in MODELS if model is not AuditEntry]  # which has the portal's own page
BY_HAND = ("", "__regex", "__iregex", "__icontains", "__in", "__gt")
JUNK = ("x", "(((", "(a+)+$", "-1", "9" * 40, "2026-11-24 00:00+00:00", "\0", "%", "é", "1,2", "")
LONG = "1." * 4000


@pytest.fixture
def records(db):
    """At least two records of every model, so that each filter is shown."""
    for whose in ("own", "foreign"):
        plant(whose, UserFactory(role="Doctor"))
    ClosureFactory()


def list_url(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def links_of(page):
    """Return the addresses of a list's own filters, dates, orders and pages."""
    return set(re.findall(r'href="(\?[^"]*)"', page.content.decode().replace("&amp;", "&")))


def own_parameters(page):
    """Return the parameters of a list's filters and dates."""
    changes = page.context["cl"]
    filters = {name for spec in changes.filter_specs for name in spec.expected_parameters()}
    return filters | {f"{changes.date_hierarchy}__{part}" for part in ("year", "month", "day")}


def paths_of(model):
    """Yield every name of a field, and of a field of a related record."""
    for field in model._meta.get_fields():
        yield field.name
        if field.related_model is not None:
            yield from (f"{field.name}__{other.name}" for other in field.related_model._meta.fields[:3])


def test_lists_refuse_every_lookup_that_no_link_of_theirs_sends(in_admin, records):
    refused = 0
    with Cases(client=in_admin) as case:
        for model in LISTED:
            own = own_parameters(in_admin.get(list_url(model)))
            for name in {f"{path}{lookup}" for path in paths_of(model) for lookup in BY_HAND} - own:
                with case(model.__name__, name):
                    response = in_admin.get(list_url(model), {name: "(a+)+$"})

                    assert response.status_code == 400
                    assert "400.html" in [template.name for template in response.templates]
                    refused += 1
    assert refused > 500


def test_links_of_the_lists_work(in_admin, records):
    followed = set()
    with Cases(client=in_admin) as case:
        for model in LISTED:
            for link in links_of(in_admin.get(list_url(model))):
                with case(model.__name__, link):
                    assert in_admin.get(list_url(model) + link).status_code == 200
                    followed.add(re.sub(r"=.*", "", link))
    assert {
        "?status__exact",
        "?doctor__id__exact",
        "?start_time__day",
        "?created_at__gte",
        "?groups__id__exact",
    } <= followed


def test_lists_answer_any_value_of_their_own_parameters(in_admin, records):
    with Cases(client=in_admin) as case:
        for model in LISTED:
            for name in own_parameters(in_admin.get(list_url(model))) | {
                "o",
                "p",
                "q",
                "e",
                "all",
                "_facets",
                "_popup",
                "_to_field",
                "_changelist_filters",
            }:
                for value in (*JUNK, LONG):
                    with case(model.__name__, name, value[:20]):
                        response = in_admin.get(list_url(model), {name: value})

                        assert response.status_code in {200, 302, 400}
                        assert "Database error" not in response.content.decode()


def test_list_refuses_parameters_and_columns_given_twice(in_admin, records):
    with Cases(client=in_admin) as case:
        for model in LISTED:
            for query in ("q=a&q=b", "p=1&p=2", "o=1.1", "o=1.-1", ".".join(["o=0", *["0"] * 2000])):
                with case(model.__name__, query[:20]):
                    assert in_admin.get(f"{list_url(model)}?{query}").status_code == 400


def test_long_search_is_not_looked_up(in_admin, records):
    with Cases(client=in_admin) as case:
        for model in LISTED:
            with case(model.__name__):
                page = in_admin.get(list_url(model), {"q": "a " * 1500})

                assert page.context["cl"].query == ""
                assert "more than 200 characters" in page.content.decode()


def test_autocomplete_answers_any_field_and_cuts_a_long_text(in_admin, records):
    found = 0
    with Cases(client=in_admin) as case:
        for model in [*apps.get_models(), None]:
            names = [field.name for field in model._meta.get_fields()] if model else ["x"]
            app, of = (model._meta.app_label, model._meta.model_name) if model else ("x", "x")
            for name in names:
                for term in ("own", "a " * 1500, "(a+)+$", "\0"):
                    with case(app, of, name, term[:10]):
                        sent = {"app_label": app, "model_name": of, "field_name": name, "term": term}
                        response = in_admin.get(reverse("admin:autocomplete"), sent)

                        assert response.status_code in {200, 403, 404}
                        found += response.status_code == 200
    assert found


def test_forms_answer_any_value_in_their_addresses(in_admin, records):
    with Cases(client=in_admin) as case:
        for model in LISTED:
            base = list_url(model)
            pk = model._default_manager.latest("pk").pk
            names = [*(field.name for field in model._meta.get_fields()), "_to_field", "_popup", "_changelist_filters"]
            for page in ("add/", f"{pk}/change/", f"{pk}/delete/", f"{pk}/history/"):
                for name in [*names, "p", "all"]:
                    for value in JUNK:
                        with case(base + page, name, value):
                            assert in_admin.get(base + page, {name: value}).status_code in {200, 302, 400, 403}


def test_admin_pages_answer_any_id(in_admin, records):
    with Cases(client=in_admin) as case:
        for model in MODELS:
            for pk in ("x", "9" * 40, "-1", "_5F", "1,2", "%28a%2B", "1/2"):
                for page in ("change/", "delete/", "history/", "", "password/"):
                    with case(model.__name__, pk, page):
                        response = in_admin.get(f"{list_url(model)}{pk}/{page}")

                        assert response.status_code in {302, 403, 404}


def test_audit_trail_answers_any_value_of_its_filters(in_admin, records):
    with Cases(client=in_admin) as case:
        for name in ("user", "event", "first", "last", "patient", "before"):
            for value in (*JUNK, LONG, "1-" * 2000, f"1-{'9' * 17}"):
                with case(name, value[:20]):
                    assert in_admin.get(reverse("audit_trail"), {name: value}).status_code in {200, 400}


def test_every_admin_page_has_the_session_dialog_with_script_and_style(in_admin, records):
    pages = ["/admin/", "/admin/patients/", "/admin/nowhere/"]
    for model in LISTED:
        pk = model._default_manager.latest("pk").pk
        pages += [list_url(model) + page for page in ("", "add/", f"{pk}/change/", f"{pk}/history/", f"{pk}/delete/")]
    shown = 0
    with Cases(client=in_admin) as case:
        for page in pages:
            with case(page):
                response = in_admin.get(page)
                if response.status_code != 200:
                    continue  # a model without it
                found = elements(response)
                assert any(tag == "dialog" and attributes.get("id") == "session" for tag, attributes in found)
                assert any("js/session" in attributes.get("src", "") for tag, attributes in found if tag == "script")
                assert any("css/session" in attributes.get("href", "") for tag, attributes in found if tag == "link")
                shown += 1
    assert shown > 3 * len(LISTED)
