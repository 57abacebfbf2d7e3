"""Which patients match a search: read from an index, in its order, only until enough are found.

Why it is done like this, with measurements, is in docs/decisions/005-patient-search.md.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from patients.models import NamePair, Patient, SearchKey
from patients.search_keys import (
    AFTER_EVERY_CHARACTER,
    MANY_WORDS,
    SEVERAL_WORDS,
    TWO_WORDS,
    is_number,
    pair_key,
    search_terms,
)

FEW = 300  # rows that are quickly read and filtered
MAX_COMPARED = 1000  # patients with one beginning of a phone number, whose names are compared


class Pair(NamedTuple):
    """A term, and the initial of another one: together one range of the pair keys."""

    word: str
    initial: str


def matching_ids(text: str, *, limit: int) -> list[int]:
    """Return the ids of patients who match, those with the shortest completion of the term first.

    One to four queries, or one more for each further term; each reads few more rows than it returns.
    """
    *others, last = search_terms(text) or [set()]
    if not others:
        return _ids_with(last, limit)
    words = [word for (word,) in others]
    if is_number(last):
        return _ids_of_named(words, _ids_with(last, MAX_COMPARED))[:limit]
    return _first_ids(_pairs_with([*words, *last]), limit)


def _ids_with(term: set[str], limit: int) -> list[int]:
    beginnings = sorted(term, key=len, reverse=True)
    return _first_ids((SearchKey.objects.filter(_begins(each)) for each in beginnings), limit)


def _ids_of_named(words: list[str], ids: list[int]) -> list[int]:
    """Return those of the ids whose patients' names have these words."""
    patients = Patient.objects.filter(pk__in=ids).order_by()
    for word in words:
        patients = patients.filter(Q(name_key__startswith=word) | Q(name_key__contains=f" {word}"))
    return list(patients.values_list("pk", flat=True))


def _first_ids(sources: Iterable["QuerySet[Any]"], limit: int) -> list[int]:
    """Return the first different patients of the keys, one query after the other until there are enough."""
    found: dict[int, None] = {}
    size = limit + FEW // 10  # a patient may have several of the keys
    for source in sources:
        ids = source.order_by("key", "patient_id").values_list("patient_id", flat=True)
        start, page = 0, [0] * size
        while len(page) == size and len(found) < limit:
            page = list(ids[start : start + size])
            found |= dict.fromkeys(page)
            start += size
        if len(found) >= limit:
            break
    return list(found)[:limit]


def _pairs_with(terms: list[str]) -> list["QuerySet[NamePair]"]:
    """Return the pairs of the patients who match all terms, by one of which their keys are read."""
    lengths = (TWO_WORDS, SEVERAL_WORDS) if len(terms) == 2 else (SEVERAL_WORDS,)
    pair = _narrow_pair(terms, lengths)
    others = Q()
    for term in terms:
        if term != pair.word:
            others &= Q(others__contains=f" {term}")
    keys = [pair_key(length, pair.initial, pair.word) for length in (*lengths, MANY_WORDS)]
    return [NamePair.objects.filter(_begins(key), others) for key in keys]


def _narrow_pair(terms: list[str], lengths: tuple[str, ...]) -> Pair:
    """Return the first pair with few keys. If all have many, so has the search: any is quickly done."""
    pairs = _possible_pairs(terms)
    for pair in pairs if len(pairs) > 1 else []:
        ranges = Q()
        for length in lengths:
            ranges |= _begins(pair_key(length, pair.initial, pair.word))
        if NamePair.objects.filter(ranges)[:FEW].count() < FEW:
            return pair
    return pairs[0]


def _possible_pairs(terms: list[str]) -> list[Pair]:
    """Return a pair for each term as the word, longest first; one pair if nothing else is left to compare."""
    *longer, shortest = sorted(terms, key=len, reverse=True)
    pairs = [Pair(word, shortest[0]) for word in longer]
    is_whole_search = len(terms) == 2 and len(shortest) == 1
    return pairs if is_whole_search else [*pairs, Pair(shortest, longer[-1][0])]


def _begins(beginning: str) -> Q:
    return Q(key__gte=beginning, key__lt=beginning + AFTER_EVERY_CHARACTER)
