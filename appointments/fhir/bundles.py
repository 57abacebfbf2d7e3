from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from appointments.fhir.resources import Resource
from appointments.fhir.search import FhirQuery, Page


def searchset(
    query: FhirQuery, page: Page, build: Callable[[Any], Resource], *, self_query: FhirQuery | None = None
) -> Resource:
    """Return a page as a Bundle; `self_query` is the search as sent, if `query` is another with the same result."""
    sent = self_query or query
    links = [_link("self", sent, sent.after)]
    if page.after is not None:
        links.append(_link("next", query, page.after))
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if page.total is not None:
        bundle["total"] = page.total
    if page.rows:  # FHIR has no empty lists
        bundle["entry"] = list(_entries(query, map(build, page.rows)))
    return bundle


def _entries(query: FhirQuery, resources: Iterable[Resource]) -> Iterable[Resource]:
    for resource in resources:
        address = f"{query.base}/{query.kind.name}/{resource['id']}"
        yield {"fullUrl": address, "resource": resource, "search": {"mode": "match"}}


def _link(relation: str, query: FhirQuery, after: str) -> Resource:
    """Return a link. For a search by personal data it has the address of the POST, without its parameters."""
    path = f"{query.kind.name}/_search" if query.is_personal else query.kind.name
    pairs = [*query.pairs, ("_count", str(query.count))]
    if after:
        pairs.append(("after", after))
    return {"relation": relation, "url": f"{query.base}/{path}?{urlencode(pairs, safe=',:/')}"}
