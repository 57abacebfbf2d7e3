"""Appointments of one doctor that overlap are drawn side by side, each in a lane of its own."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from appointments.schedule.grid import Place

MAX_LANES = 6  # as many have classes in schedule/blocks.css; more than that share lanes


class Lane(NamedTuple):
    """A part of a column's width: `number` counts from the left, from 0 to `of` - 1."""

    number: int
    of: int


WHOLE = Lane(0, 1)


def any_overlap(places: Sequence[Place]) -> bool:
    """Return whether any of some places, which are in order of time, overlap."""
    end = 0
    for minute, minutes in places:
        if minute < end:
            return True
        end = minute + minutes
    return False


def lanes_of(places: Sequence[Place], are_firm: Sequence[bool]) -> list[Lane]:
    """Return a lane for each of some places, which are in order of time.

    One that is not firm, such as a no-show, does not occupy the doctor. These are at the left: free times are drawn at
    the right of them. If several of them overlap and nothing else, the lane at the right stays empty for that.
    """
    lanes = [WHOLE] * len(places)
    for group in _groups(places):
        if len(group) > 1:
            _share_out(places, are_firm, group, lanes)
    return lanes


def _groups(places: Sequence[Place]) -> Iterator[list[int]]:
    """Yield the numbers of places that overlap directly or by way of others."""
    group: list[int] = []
    end = 0
    for number, place in enumerate(places):
        if group and place.minute >= end:
            yield group
            group, end = [], 0
        group.append(number)
        end = max(end, place.end)
    if group:
        yield group


def _share_out(places: Sequence[Place], are_firm: Sequence[bool], group: list[int], lanes: list[Lane]) -> None:
    taken: list[list[Place]] = []
    chosen = {}
    for number in sorted(group, key=lambda number: are_firm[number]):
        chosen[number] = _first_without(places[number], taken)
        taken[chosen[number]].append(places[number])
    spare = 0 if any(are_firm[number] for number in group) else 1
    of = min(len(taken) + spare, MAX_LANES)
    for number, lane in chosen.items():
        lanes[number] = Lane(lane % of, of)


def _first_without(place: Place, taken: list[list[Place]]) -> int:
    """Return the number of the first lane in which the place is free; of a new one if there is none."""
    for number, others in enumerate(taken):
        if not any(map(place.overlaps, others)):
            return number
    taken.append([])
    return len(taken) - 1
