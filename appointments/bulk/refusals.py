"""The refusals of a bulk action, kept in the session until the next list shows each at its row.

They contain no patient's name or details: what a session may contain about patients is in `patients.privacy`.
"""

from collections.abc import Mapping

from clinic.web.http import StaffRequest

_REFUSALS = "bulk_refusals"


def save_refusals(request: StaffRequest, refusals: Mapping[int, str]) -> None:
    """Save messages by the ids of appointments, whose rows stay ticked; an empty one only keeps the tick."""
    if refusals:
        request.session[_REFUSALS] = dict(refusals)


def take_refusals(request: StaffRequest) -> dict[int, str]:
    return {int(pk): message for pk, message in request.session.pop(_REFUSALS, {}).items()}
