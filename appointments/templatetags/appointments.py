"""Tags for the pages of apps that may not import this one."""

from typing import Any

from django import template

from appointments.detail.history import moves_of

register = template.Library()


@register.simple_tag
def with_moves(appointments: Any, user: Any) -> list[Any]:
    """Add `moves` to each appointment: the history of moves and cancellations, latest first."""
    listed = list(appointments)
    moves = moves_of(listed, user=user) if listed else {}
    for appointment in listed:
        appointment.moves = moves.get(appointment.pk, [])
    return listed
