"""Temporary data about patients (sessions, import drafts, answers to programs, saved forms), and how it is erased."""

import datetime as dt
import json
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any
from urllib.parse import unquote_plus

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages.storage.session import SessionStorage

from clinic.audit.actor import ANONYMISED
from clinic.core.names import fold
from clinic.models import ImportDraft, ImportRow, SavedForm, StoredResponse
from patients.models import Patient
from patients.privacy.holders import registered_holders
from patients.privacy.trail import PatientTrail
from patients.search_keys import keys_for, matches, name_words, phone_keys_to_compare

CHUNK_SIZE = 500
_LAST_SEARCH = "patient_query"  # the key of the last search in a session
# The session keys that may contain patient data. The others are never deleted: they say who is logged in, from where
# and until when, and a browser may be named like a patient, or a date contain the same number as a note.
_PATIENT_SESSION_KEYS = (_LAST_SEARCH, SessionStorage.session_key)
_DATE_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d %B %Y", "%d %b %Y")
_IDENTIFYING_FIELDS = ("first_name", "last_name", "email", "phone_number", "date_of_birth")


class FormerValues:
    """The present and past names, contact details and dates of birth of a patient, and the texts about them."""

    def __init__(self, patient: Patient, trail: PatientTrail) -> None:
        self.patient_id = patient.pk
        self._by_field: dict[str, set[str]] = {name: set() for name in _IDENTIFYING_FIELDS}
        for name in _IDENTIFYING_FIELDS:
            self._add(name, getattr(patient, name))
        for relevant in trail.record:
            for name in self._by_field.keys() & relevant.changes.keys():
                for value in relevant.changes[name]:
                    self._add(name, value)
        texts = set().union(*self._by_field.values()) | set(self._dates_of_birth()) | set(_texts_in(trail))
        self._phrases = {f" {folded} " for text in texts if (folded := fold(text))}
        self._words = name_words(" ".join(self._by_field["first_name"]), " ".join(self._by_field["last_name"]))
        self._contacts = self._contact_keys()

    def _add(self, name: str, value: Any) -> None:
        text = "" if value is None else str(value).strip()
        if text not in ("", "None", ANONYMISED):
            self._by_field[name].add(text)

    def _dates_of_birth(self) -> Iterator[str]:
        for text in self._by_field["date_of_birth"]:
            date_of_birth = dt.date.fromisoformat(text)
            for pattern in _DATE_FORMATS:
                yield (formatted := date_of_birth.strftime(pattern))
                yield formatted.removeprefix("0")

    def _contact_keys(self) -> set[str]:
        phones = self._by_field["phone_number"]
        keys = [keys_for(first_name="", last_name="", email="", phone_number=phone_number) for phone_number in phones]
        return self._by_field["email"].union(*keys)

    def mentioned_in(self, value: Any) -> bool:
        """Return whether a text, or JSON data, contains one of the values as whole words, in any spelling."""
        if isinstance(value, str):
            text = f" {fold(unquote_plus(value))} "
            return any(phrase in text for phrase in self._phrases)
        if isinstance(value, dict):
            return any(self.mentioned_in(each) for pair in value.items() for each in pair)
        return isinstance(value, list | tuple) and any(map(self.mentioned_in, value))

    def matches_search(self, query: str) -> bool:
        """Return whether a search finds the patient by these values, also by an old and a new one together."""
        return matches(query, words=self._words, contacts=self._contacts)

    def matches_row(self, cells: dict[str, str]) -> bool:
        """Return whether a row of a file has the patient's e-mail, phone number or full name."""
        matching = {
            name for name, values in self._by_field.items() if fold(cells.get(name) or "") in set(map(fold, values))
        }
        phones = phone_keys_to_compare(cells.get("phone_number") or "")
        return "email" in matching or {"first_name", "last_name"} <= matching or not phones.isdisjoint(self._contacts)


def _texts_in(trail: PatientTrail) -> Iterator[str]:
    for holder in registered_holders():
        yield from holder.texts(trail)


def erase_temporary_data(former: FormerValues) -> None:
    """Erase a patient's former values from all temporary data and from the admin's log. Needs a transaction."""
    _erase_from_drafts(former)
    _erase_from_answers(former.patient_id)
    _erase_from_sessions(former)
    _erase_from_forms(former)
    log_entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Patient))
    log_entries.filter(object_id=str(former.patient_id)).update(object_repr=ANONYMISED, change_message="")


def erase_from_session(session: MutableMapping[str, Any], former: FormerValues) -> bool:
    """Delete the former values from a session, and return whether there were any."""
    stale = [key for key in _PATIENT_SESSION_KEYS if key in session and former.mentioned_in(session[key])]
    if _LAST_SEARCH in session and _LAST_SEARCH not in stale and former.matches_search(session[_LAST_SEARCH]):
        stale.append(_LAST_SEARCH)
    for key in stale:
        del session[key]
    return bool(stale)


def _erase_from_sessions(former: FormerValues) -> None:
    """Go through all sessions, if the engine stores them in the database; those of a cache cannot be listed."""
    engine: Any = import_module(settings.SESSION_ENGINE).SessionStore
    if not hasattr(engine, "get_model_class"):
        return
    sessions = engine.get_model_class()._default_manager
    for row in sessions.iterator(chunk_size=CHUNK_SIZE):
        session = row.get_decoded()
        if erase_from_session(session, former):
            sessions.filter(pk=row.pk).update(session_data=engine().encode(session))
            if hasattr(engine, "cache_key_prefix"):
                store = engine(row.pk)
                store._cache.delete(store.cache_key)


def _erase_from_drafts(former: FormerValues) -> None:
    """Delete the import drafts that contain the patient: the file can be uploaded again."""
    rows = ImportRow.objects.filter(draft__kind="patients").order_by()
    stale = {
        row.draft_id
        for row in rows.iterator(chunk_size=CHUNK_SIZE)
        if row.similar_id == former.patient_id or former.matches_row(row.cells)
    }
    stale |= {draft.pk for draft in ImportDraft.objects.filter(kind="patients") if former.mentioned_in(draft.details)}
    ImportDraft.objects.filter(pk__in=stale).delete()


def _erase_from_answers(patient_id: int) -> None:
    """Blank the answers to programs about the patient. The rows stay, so that a repeated request is not executed."""
    for answer in StoredResponse.objects.iterator(chunk_size=CHUNK_SIZE):
        body = json.loads(answer.body or "null")
        if _is_about_patient(body, patient_id):
            blanked = {name: ANONYMISED if isinstance(value, str) else value for name, value in body.items()}
            StoredResponse.objects.filter(pk=answer.pk).update(body=json.dumps(blanked))


def _is_about_patient(body: Any, patient_id: int) -> bool:
    if not isinstance(body, dict):
        return False
    if "patient_id" in body:
        return body["patient_id"] == patient_id
    return "email" in body and body.get("id") == patient_id


def _erase_from_forms(former: FormerValues) -> None:
    # All forms about patients, as they may refer to this one by an id, or by part of a name, or misspelled.
    forms = SavedForm.objects.all()
    stale = [form.pk for form in forms if _is_patient_form(form.path) or former.mentioned_in(form.data)]
    forms.filter(pk__in=stale).delete()


def _is_patient_form(path: str) -> bool:
    holder_paths = (part for holder in registered_holders() for part in holder.form_paths)
    return any(part in path for part in ("/patients/", *holder_paths))
