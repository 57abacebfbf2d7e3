"""What the portal keeps of a patient for minutes or hours beside the records, and how it forgets it.

Sessions, drafts of imports, answers to programs, half-filled forms: who is anonymised is to be found in none of them.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any
from urllib.parse import unquote_plus

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages.storage.session import SessionStorage

from appointments.patient_trail import PatientTrail
from appointments.rights_rules import TEXTS
from clinic.audit.actor import ANONYMISED
from clinic.core.names import fold
from clinic.models import ImportDraft, ImportRow, SavedForm, StoredResponse
from patients.models import Patient
from patients.search_keys import keys_for, phone_keys_to_compare, sought

READ_AT_ONCE = 500
SEARCHED = "patient_query"  # under which a session keeps the last search
# What of a session can hold a patient. The rest says who is signed in, from where and until when, and is never
# dropped: a browser may be called as a patient is, and a date hold the same number as a note.
_OF_PATIENTS = (SEARCHED, SessionStorage.session_key)
# Addresses of forms about patients, those of the admin included. Those of doctors' time are below /doctors/.
_ABOUT_PATIENTS = re.compile("/(?:patients|appointments)/")
_DATES = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d %B %Y", "%d %b %Y")
_IN_WORDS = ("first_name", "last_name", "email", "phone_number", "date_of_birth")


class FormerValues:
    """What a record holds and has held: names, contacts, date of birth, and what was written about appointments."""

    def __init__(self, patient: Patient, trail: PatientTrail) -> None:
        self.patient_id = patient.pk
        self.held: dict[str, set[str]] = {name: set() for name in _IN_WORDS}
        for name in _IN_WORDS:
            self._add(name, getattr(patient, name))
        for told in trail.record:
            for name in self.held.keys() & told.changes.keys():
                for value in told.changes[name]:
                    self._add(name, value)
        texts = set().union(*self.held.values()) | set(self._births()) | set(_written_about(trail))
        self._words = {f" {folded} " for text in texts if (folded := fold(text))}
        self.keys = self._search_keys()

    def _add(self, name: str, value: Any) -> None:
        text = "" if value is None else str(value).strip()
        if text not in ("", "None", ANONYMISED):
            self.held[name].add(text)

    def _births(self) -> Iterator[str]:
        for text in self.held["date_of_birth"]:
            born = dt.date.fromisoformat(text)
            for pattern in _DATES:
                yield (written := born.strftime(pattern))
                yield written.removeprefix("0")

    def _search_keys(self) -> set[str]:
        firsts, lasts = self.held["first_name"], self.held["last_name"]
        keys = keys_for(first_name=" ".join(firsts), last_name=" ".join(lasts), email="", phone_number="")
        for phone_number in self.held["phone_number"]:
            keys |= keys_for(first_name="", last_name="", email="", phone_number=phone_number)
        return keys | self.held["email"]

    def mentions(self, value: Any) -> bool:
        """Return whether one of them stands, as whole words however they are written, in a text or in JSON's values."""
        if isinstance(value, str):
            text = f" {fold(unquote_plus(value))} "
            return any(words in text for words in self._words)
        if isinstance(value, dict):
            return any(self.mentions(each) for pair in value.items() for each in pair)
        return isinstance(value, list | tuple) and any(map(self.mentions, value))

    def matches_search(self, text: str) -> bool:
        """Return whether it is a search that finds the patient by them, be it by beginnings of words."""
        wanted = sought(text)
        return bool(wanted) and all(
            any(key.startswith(beginning) for key in self.keys for beginning in beginnings) for beginnings in wanted
        )

    def is_person(self, cells: dict[str, str]) -> bool:
        """Return whether a row of a file gives the person: the e-mail, the phone number, or the whole name."""
        has = {name for name in _IN_WORDS if fold(cells.get(name) or "") in set(map(fold, self.held[name]))}
        phones = phone_keys_to_compare(cells.get("phone_number") or "")
        return "email" in has or {"first_name", "last_name"} <= has or not phones.isdisjoint(self.keys)


def _written_about(trail: PatientTrail) -> Iterator[str]:
    """Yield what people have written about the patient's appointments, as the trail holds it."""
    for entries in trail.appointments.values():
        for told in entries:
            values = [value for name in TEXTS for value in told.changes.get(name, ())]
            values += (told.entry.additional_data or {}).values()
            yield from (value for value in values if isinstance(value, str) and value not in ("None", ANONYMISED))


def forget(former: FormerValues) -> None:
    """Take a patient's former values from all that is kept for a short time, in the transaction that is under way."""
    _forget_drafts(former)
    _forget_answers(former.patient_id)
    _forget_sessions(former)
    _forget_forms(former)
    of_patient = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Patient))
    of_patient.filter(object_id=str(former.patient_id)).update(object_repr=ANONYMISED, change_message="")


def forget_in_session(session: MutableMapping[str, Any], former: FormerValues) -> bool:
    """Drop what a session holds of the former values, and return whether it held any."""
    found = {key: session[key] for key in _OF_PATIENTS if key in session}
    stale = [key for key, value in found.items() if former.mentions(value)]
    if SEARCHED in found and former.matches_search(found[SEARCHED]) and SEARCHED not in stale:
        stale.append(SEARCHED)
    for key in stale:
        del session[key]
    return bool(stale)


def _forget_sessions(former: FormerValues) -> None:
    """Read every session of an engine that keeps them in the database; in a cache alone, nobody can go through them."""
    engine: Any = import_module(settings.SESSION_ENGINE).SessionStore
    if not hasattr(engine, "get_model_class"):
        return
    sessions = engine.get_model_class()._default_manager
    for row in sessions.iterator(chunk_size=READ_AT_ONCE):
        session = row.get_decoded()
        if forget_in_session(session, former):
            sessions.filter(pk=row.pk).update(session_data=engine().encode(session))
            if hasattr(engine, "cache_key_prefix"):
                store = engine(row.pk)
                store._cache.delete(store.cache_key)


def _forget_drafts(former: FormerValues) -> None:
    """Delete the drafts of imports in which the patient is: whoever has uploaded the file can do it again."""
    rows = ImportRow.objects.filter(draft__kind="patients").order_by()
    stale = {
        row.draft_id
        for row in rows.iterator(chunk_size=READ_AT_ONCE)
        if row.like == former.patient_id or former.is_person(row.cells)
    }
    stale |= {draft.pk for draft in ImportDraft.objects.filter(kind="patients") if former.mentions(draft.said)}
    ImportDraft.objects.filter(pk__in=stale).delete()


def _forget_answers(patient_id: int) -> None:
    """Blank the answers to programs that tell of the patient. They stay: sent again, a request is not carried out."""
    for kept in StoredResponse.objects.iterator(chunk_size=READ_AT_ONCE):
        told = json.loads(kept.body or "null")
        if _tells_of(told, patient_id):
            body = {name: ANONYMISED if isinstance(value, str) else value for name, value in told.items()}
            StoredResponse.objects.filter(pk=kept.pk).update(body=json.dumps(body))


def _tells_of(told: Any, patient_id: int) -> bool:
    if not isinstance(told, dict):
        return False
    if "patient_id" in told:
        return told["patient_id"] == patient_id
    return "email" in told and told.get("id") == patient_id


def _forget_forms(former: FormerValues) -> None:
    """Delete all saved forms of patients and appointments, and others that name the patient.

    The patient may be in them by a number, by the beginning of a name, or by what was heard on the telephone.
    """
    forms = SavedForm.objects.all()
    stale = [form.pk for form in forms if _ABOUT_PATIENTS.search(form.path) or former.mentions(form.data)]
    forms.filter(pk__in=stale).delete()
