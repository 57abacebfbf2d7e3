"""What pages of other apps say about visits: those apps do not import this one."""

from typing import Any

from django import template

from appointments.detail.history import moves_of

register = template.Library()


@register.simple_tag
def with_moves(visits: Any, user: Any) -> list[Any]:
    """Return the visits, each with `moves`: what moved or cancelled it, by whom and why, latest first."""
    listed = list(visits)
    moves = moves_of(listed, user=user) if listed else {}
    for visit in listed:
        visit.moves = moves.get(visit.pk, [])
    return listed
