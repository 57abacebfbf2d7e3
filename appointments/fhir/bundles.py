"""Bundles: the answers to searches."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from appointments.fhir.resources import Resource
from appointments.fhir.search import Asked, Page


def searchset(
    asked: Asked, page: Page, build: Callable[[Any], Resource], *, self_asked: Asked | None = None
) -> Resource:
    """Return a page as a Bundle.

    `self_asked` is the search as it was sent, if `asked` is another that finds the same.
    """
    sent = self_asked or asked
    links = [_link("self", sent, sent.after)]
    if page.after is not None:
        links.append(_link("next", asked, page.after))
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if page.total is not None:
        bundle["total"] = page.total
    if page.rows:  # FHIR has no empty lists
        bundle["entry"] = list(_entries(asked, map(build, page.rows)))
    return bundle


def _entries(asked: Asked, resources: Iterable[Resource]) -> Iterable[Resource]:
    for resource in resources:
        address = f"{asked.base}/{asked.kind.name}/{resource['id']}"
        yield {"fullUrl": address, "resource": resource, "search": {"mode": "match"}}


def _link(relation: str, asked: Asked, after: str) -> Resource:
    """Return a link; of a search by personal data, to where it was posted, without what was sought."""
    path = f"{asked.kind.name}/_search" if asked.is_personal else asked.kind.name
    pairs = [*asked.pairs, ("_count", str(asked.count))]
    if after:
        pairs.append(("after", after))
    return {"relation": relation, "url": f"{asked.base}/{path}?{urlencode(pairs, safe=',:/')}"}
