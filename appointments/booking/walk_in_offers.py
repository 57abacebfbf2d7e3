"""Which doctor and time a walk-in would be given, so that the booking page says so on its buttons."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

from appointments.availability.roster import Roster
from appointments.availability.search import Slot, SlotSearch, find_first_free, find_free
from appointments.booking.attendance import last_doctor_id
from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY

TIMES_SHOWN = 3  # after today, if there is nothing else to choose
CHOICES_SHOWN = 8


@dataclass(frozen=True)
class WalkInOffers:
    """Today's next free times to choose from; if there are none, those of the next day that has any, as `later`.

    Unless a doctor or a specialization was asked for, there is one for each specialization: only people know which of
    them the patient needs. The doctor who saw the patient last comes first.
    """

    today: list[Slot]
    later: list[Slot]
    doctor_name: str  # of the only doctor who was asked for
    last_doctor_id: int | None
    has_more: bool

    @property
    def only(self) -> Slot | None:
        """The time of which there is no doubt."""
        return self.today[0] if len(self.today) == 1 and not self.has_more else None


def walk_in_offers(search: SlotSearch, roster: Roster) -> WalkInOffers:
    """Return what a walk-in would be given. At most two queries, two more if nobody is free today, and the roster's."""
    search = replace(search, part_of_day="", weekday=None)
    doctors = [doctor for doctor in roster.doctors if search.suits_doctor(doctor)]
    is_choice = search.doctor_id is None and len({doctor.specialization for doctor in doctors}) > 1
    seen_by = last_doctor_id(search.patient_id) if is_choice and search.patient_id is not None else None
    today = clinic_time.today()
    limit = 1 if is_choice else TIMES_SHOWN
    later: list[Slot] = []
    found = find_free(search, roster.doctors, first_day=today, days=1, max_times=1, load=roster.load)
    if not found.days:
        tomorrow = min(today + ONE_DAY, clinic_time.LAST_DATE)
        later = list(
            find_first_free(
                search, roster.doctors, first_day=tomorrow, max_days=1, max_times=limit, load=roster.load
            ).slots()
        )
    offered = _one_each(found.slots(), seen_by) if is_choice else _soonest(found.slots())[:1]
    return WalkInOffers(
        today=offered[:CHOICES_SHOWN],
        later=(_one_each(later, seen_by)[:CHOICES_SHOWN] if is_choice else _soonest(later)[:TIMES_SHOWN]),
        doctor_name=doctors[0].full_name if search.doctor_id is not None and doctors else "",
        last_doctor_id=seen_by,
        has_more=len(offered) > CHOICES_SHOWN,
    )


def _soonest(slots: Iterable[Slot]) -> list[Slot]:
    return sorted(slots, key=lambda slot: slot.start)


def _one_each(slots: Iterable[Slot], last_doctor_id: int | None) -> list[Slot]:
    """Return the soonest of each specialization, after that of the doctor who saw the patient last."""
    soonest = _soonest(slots)
    first = next((slot for slot in soonest if slot.doctor.pk == last_doctor_id), None)
    each: dict[str, Slot] = {}
    for slot in soonest:
        each.setdefault(slot.doctor.specialization, slot)
    return list(dict.fromkeys(chain([first] if first else [], each.values())))
