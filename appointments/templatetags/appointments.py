"""What pages of other apps say about appointments: those apps do not import this one."""

from typing import Any

from django import template

from appointments.detail.history import moves_of

register = template.Library()


@register.simple_tag
def with_moves(appointments: Any, user: Any) -> list[Any]:
    """Return the appointments, each with `moves`: what moved or cancelled it, by whom and why, latest first."""
    listed = list(appointments)
    moves = moves_of(listed, user=user) if listed else {}
    for appointment in listed:
        appointment.moves = moves.get(appointment.pk, [])
    return listed
