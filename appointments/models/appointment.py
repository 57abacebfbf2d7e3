"""Appointments. However one is written, `save()` locks the diaries, checks them, and writes."""

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from auditlog.registry import auditlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from appointments import locking, rules, transitions
from appointments.models.day_version import BookedTime, DayVersion
from appointments.models.diary_checks import check_diaries
from appointments.overlap_triggers import trigger_refusals_as_lost_race
from appointments.querysets import AppointmentQuerySet
from appointments.statuses import CancelledBy, Stamped, Status
from clinic.core import clinic_time
from clinic.core.appointment_length import DEFAULT_MINUTES, LONGEST, MAX_MINUTES, MIN_MINUTES
from clinic.core.field_errors import FieldErrors, at_field
from clinic.core.names import clean_line
from clinic.db.constraints import CheckConstraintWithoutValidation
from clinic.db.tracked_fields import TrackedFields
from clinic.db.transactions import refusals_as_lost_race
from doctors.models import Doctor
from patients.models import Patient
from patients.rules import check_not_anonymised

MAX_NOTES = 2000
_KNOWN_TO_EXIST = frozenset({"patient", "doctor", "booked_by", "booking_key"})  # the fields that `full_clean` looks up


class Appointment(TrackedFields):
    """An appointment of a patient with a doctor, from `start_time` up to but not including `end_time`."""

    # These decide which rules and locks a change needs.
    TRACKED_FIELDS = (
        "doctor_id",
        "patient_id",
        "start_time",
        "duration_minutes",
        "status",
        "arrived_at",
        "started_at",
        "completed_at",
        "left_at",
        "version",
        "is_imported",
    )

    # The reason for the change about to be saved. It belongs to the change, so the audit trail stores it.
    reason_of_change = ""

    # Whether saving returns it to the time from which it was displaced, when the doctor may still be away.
    is_put_back = False

    # Why a change of the doctor's availability displaces the appointment, set by `appointments.displaced.finder`.
    displaced_reasons: frozenset[str] = frozenset()

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="appointments")
    doctor = models.ForeignKey(Doctor, on_delete=models.PROTECT, related_name="appointments")
    start_time = models.DateTimeField("start")
    duration_minutes = models.PositiveSmallIntegerField("length in minutes", default=DEFAULT_MINUTES)
    end_time = models.DateTimeField("end", editable=False)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.BOOKED)
    reason = models.CharField(max_length=200, blank=True, help_text="Shown in the schedule.")
    notes = models.TextField(max_length=MAX_NOTES, blank=True, validators=[MaxLengthValidator(MAX_NOTES)])
    outside_hours_reason = models.CharField(
        "reason for the exception",
        max_length=200,
        blank=True,
        help_text="If booked outside hours, during leave, on a closing day, or in a gap.",
    )
    booking_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    booked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="booked_appointments",
    )
    arrived_at = models.DateTimeField(null=True, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When the patient went away unseen, as far as the clinic knows; None if that was recorded on a later day.
    left_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancelled_by = models.CharField(max_length=10, choices=CancelledBy.choices, blank=True)
    cancel_reason = models.CharField(max_length=200, blank=True)
    # The patient came without an appointment. A fact about how it was booked, so it stays when it is moved.
    is_walk_in = models.BooleanField("walk-in", default=False, db_default=False, editable=False)
    # Of a past appointment from another system, which blocks nobody: the rule `imported`.
    is_imported = models.BooleanField("imported", default=False, db_default=False, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        # Related managers write through the base manager: it must refuse what the default one refuses.
        base_manager_name = "objects"
        ordering = ["start_time", "pk"]
        indexes = [
            models.Index(fields=["doctor", "start_time"], name="appointment_doctor_start"),
            models.Index(fields=["patient", "start_time"], name="appointment_patient_start"),
            models.Index(fields=["start_time"], name="appointment_start"),
            models.Index(fields=["status", "start_time"], name="appointment_status_start"),
            models.Index(fields=["doctor", "status", "start_time"], name="appointment_doctor_status"),
        ]
        constraints = [
            CheckConstraintWithoutValidation(
                condition=models.Q(duration_minutes__gte=MIN_MINUTES, duration_minutes__lte=MAX_MINUTES),
                name="appointment_duration",
            ),
            CheckConstraintWithoutValidation(
                condition=models.Q(end_time__gt=models.F("start_time")), name="appointment_ends_after_start"
            ),
            CheckConstraintWithoutValidation(
                condition=models.Q(end_time__lte=models.F("start_time") + LONGEST),
                name="appointment_not_too_long",
            ),
            CheckConstraintWithoutValidation(condition=models.Q(status__in=Status.values), name="appointment_status"),
        ]
        permissions = [
            ("view_schedule", "Can see the day view"),
            ("view_own_appointment", "Can view appointments in one's own diary"),
            ("book_outside_hours", "Can book outside hours, with a reason"),
            ("arrive_appointment", "Can mark patients arrived or no-show"),
            ("arrive_own_appointment", "Can mark one's own patients arrived or no-show"),
            ("treat_appointment", "Can start and complete consultations"),
            ("treat_own_appointment", "Can start and complete one's own consultations"),
            ("export_appointment", "Can export appointments to a file"),
        ]

    def __str__(self) -> str:
        return f"{clinic_time.date_text(self.start_time)} {clinic_time.time_text(self.start_time)}, {self.doctor}"

    @property
    def trail_patient_id(self) -> int:
        return self.patient_id

    def get_absolute_url(self) -> str:
        return reverse("appointments:appointment_detail", args=[self.pk])

    def get_additional_data(self) -> dict[str, str] | None:
        return {"reason": self.reason_of_change} if self.reason_of_change else None

    @property
    def is_blocking(self) -> bool:
        return rules.is_blocking(self.status)

    @property
    def stamped(self) -> Stamped:
        """Which timestamps the row has; an undo has cleared one on the instance before it is checked."""
        original = self.original
        stamps = ("arrived_at", "started_at", "completed_at", "left_at")
        return Stamped(*(original.get(name) is not None for name in stamps))

    @property
    def takes_time(self) -> bool:
        """Whether saving this takes time in the diaries that the row did not take before."""
        if self.is_imported or not self.is_blocking:
            return False
        if self.changes("doctor_id", "patient_id", "start_time", "duration_minutes", "is_imported"):
            return True
        return not rules.is_blocking(self.original["status"])

    @property
    def takes_patient(self) -> bool:
        """Whether saving this changes the patients' diaries or their last contact, so that they have to be locked."""
        return self.takes_time or self.changes("patient_id", "start_time")

    @property
    def is_lowering_last_contact(self) -> bool:
        """Whether saving this may make a patient's last contact earlier."""
        if self._state.adding:
            return self.start_time < self.patient.created_at  # the last contact until now, if it is the first one
        return self.changes("patient_id") or self.start_time < self.original["start_time"]

    @property
    def is_reinstated(self) -> bool:
        """Whether saving this brings a cancelled appointment back."""
        return not self._state.adding and self.original["status"] == Status.CANCELLED

    @property
    def booked_time(self) -> BookedTime:
        return self.doctor_id, self.start_time, self.end_time

    @staticmethod
    def renew_days(booked: Iterable[BookedTime]) -> None:
        """Renew the versions of these days, so that open pages refresh. Locks: see `DayVersionQuerySet.renew`."""
        DayVersion.objects.renew_around(booked)

    @classmethod
    def renew_days_of_patient(cls, patient_id: int) -> None:
        cls.renew_days(cls.objects.for_patient(patient_id).booked_times())

    def _original_booked_time(self) -> BookedTime:
        """Return the time that the row has until now; the new one for a new row."""
        if self._state.adding:
            return self.booked_time
        start = self.original["start_time"]
        return self.original["doctor_id"], start, start + self.original["duration_minutes"] * clinic_time.MINUTE

    def _is_rearranged(self) -> bool:
        """Return whether saving this changes patient, doctor or time, or cancels or reinstates the appointment."""
        is_off, was_off = (status == Status.CANCELLED for status in (self.status, self.original["status"]))
        return self.changes("patient_id", "doctor_id", "start_time") or is_off != was_off

    def clean_fields(self, exclude: Any = None) -> None:
        """Tidy the texts and check each field by itself; a naive time must not be taken for clinic time."""
        self._refused: frozenset[str] = frozenset()
        self.reason = clean_line(self.reason or "")
        self.cancel_reason = clean_line(self.cancel_reason or "")
        self.outside_hours_reason = clean_line(self.outside_hours_reason or "")
        errors = FieldErrors()
        with errors.at("start_time"):
            rules.check_aware(self.start_time)
        with errors.at("duration_minutes"):
            rules.check_whole_minutes(self.duration_minutes)
        if isinstance(self.duration_minutes, int):
            exclude = {*(exclude or ()), "duration_minutes"}  # the rule has the better message
        try:
            errors.raise_any()
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            self._refused = frozenset(error.error_dict)
            raise

    def clean(self) -> None:
        """Check all rules of an appointment, without a lock; `save()` checks again under the locks.

        Raises:
            ValidationError: by field, with the codes of `rules`.
        """
        self.clean_alone()
        if self._is_incomplete() or self._refuses("doctor", "patient") or None in (self.doctor_id, self.patient_id):
            return
        if self.takes_time:
            check_diaries(self)

    def clean_alone(self) -> None:
        """Check the rules that need no diary. No query, if patient and original values are there."""
        if self._is_incomplete():
            return
        errors = FieldErrors()
        self._check_limits(errors)
        errors.raise_any()
        self._set_times()
        self._check_change(errors, timezone.now())
        self._check_patient(errors)
        self._check_cancellation(errors)
        errors.raise_any()

    def _is_incomplete(self) -> bool:
        """Return whether a field that the rules need is missing or invalid; `clean_fields()` has then refused it."""
        if None in (self.start_time, self.duration_minutes):
            return True
        return self._refuses("start_time", "duration_minutes", "status")

    def _refuses(self, *fields: str) -> bool:
        refused: frozenset[str] = getattr(self, "_refused", frozenset())
        return not refused.isdisjoint(fields)

    def _check_limits(self, errors: FieldErrors) -> None:
        with errors.at("duration_minutes"):
            rules.check_duration(self.duration_minutes)
        with errors.at("start_time"):
            rules.check_calendar(self.start_time)

    def _check_cancellation(self, errors: FieldErrors) -> None:
        with errors.at("cancelled_by"):
            rules.check_cancellation(self.status, cancelled_by=self.cancelled_by)
        with errors.at("cancel_reason"):
            rules.check_cancel_reason(self.status, cancel_reason=self.cancel_reason)

    def _check_patient(self, errors: FieldErrors) -> None:
        if self.patient_id is None or self._refuses("patient"):
            return
        if self.takes_patient:
            with errors.at("patient"):
                check_not_anonymised(self.patient.anonymised_at)
        for name in rules.TEXTS:
            with errors.at(name):
                rules.check_no_text_for_anonymised(
                    getattr(self, name), is_anonymised=self.patient.anonymised_at is not None
                )

    def _check_change(self, errors: FieldErrors, now: dt.datetime) -> None:
        if self.is_imported or self.changes("start_time"):
            with errors.at("start_time"):
                self._check_past_or_future(now)
        if self._state.adding:
            return
        original = self.original
        if self.changes("doctor_id", "patient_id", "start_time"):
            with errors.at("start_time"):
                rules.check_movable(original["status"], old_start=original["start_time"], new_start=self.start_time)
        if self.changes("status"):
            with errors.at("status"):
                transitions.check_transition(
                    original["status"],
                    self.status,
                    stamped=self.stamped,
                    start_time=self.start_time,
                    end_time=self.end_time,
                    at=now,
                )

    def _check_past_or_future(self, now: dt.datetime) -> None:
        if not self.is_imported:
            rules.check_not_past(self.start_time, at=now)
        elif self.changes("start_time", "duration_minutes", "is_imported"):
            rules.check_imported_over(self.end_time, at=now)

    def _check_times(self) -> None:
        """Refuse what `_set_times` would change silently: a naive start, a fraction of a minute."""
        rules.check_whole_minutes(self.duration_minutes)
        self.start_time = models.DateTimeField().to_python(self.start_time)
        rules.check_aware(self.start_time)

    def _set_times(self) -> None:
        self.duration_minutes = models.IntegerField().to_python(self.duration_minutes)
        self.start_time = clinic_time.whole_minute(self.start_time)
        self.end_time = self.start_time + dt.timedelta(minutes=self.duration_minutes)

    def clean_and_save(self) -> None:
        """Do what `full_clean()` and `save()` do, but check the diaries only once, under the locks.

        Doctor, patient and user have to be records that were read from the database.

        Raises:
            ValidationError: by field, with the codes of `rules`: the same refusals as those of `full_clean()`.
            LostRace: `anonymised`, `gone` and `stale`, as by `save()`.
        """
        try:
            self.clean_fields(exclude=_KNOWN_TO_EXIST)
            self.clean_alone()
        except ValidationError:
            self.full_clean(exclude=_KNOWN_TO_EXIST)  # adds the refusals of the diaries, as far as they can be checked
            raise
        self._save()

    def save(self, **options: Any) -> None:
        """Lock the diaries, check them, write: nothing in between that could swallow a database error.

        Locks: the doctors' rows (old and new), then, if time is taken or start or patient change, the patients'.

        Raises:
            ValidationError: `status`.
            LostRace: `naive`, `duration`, `doctor_overlap`, `patient_overlap`, `inactive`, `anonymised`, `imported`;
                `stale` if the row has changed since it was read; `gone` if it, doctor or patient no longer exist.
        """
        rules.check_status(self.status)
        with refusals_as_lost_race():
            self._check_times()
            self._set_times()
            if self.is_imported:
                with at_field("start_time"):
                    self._check_past_or_future(timezone.now())
            self._save(**options)

    def _save(self, **options: Any) -> None:
        """Lock, check and write; a refusal of the diaries is only a lost race for callers who have checked before."""
        with self._restored_if_not_saved(), trigger_refusals_as_lost_race(), transaction.atomic():
            with refusals_as_lost_race():
                self._lock_diaries()
            self._check_under_lock()
            self._write(**options)
        self.track()

    def _write(
        self,
        *,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Insert a new record or update an existing one; neither turns into the other if the row is gone or there."""
        is_new = self._state.adding
        is_rearranged = not is_new and self._is_rearranged()
        shown = {self.booked_time, self._original_booked_time()}
        lowered = self._patient_ids() if self.is_lowering_last_contact else ()
        self.version = 1 if is_new else self.version + 1
        super().save(
            force_insert=force_insert or is_new,
            force_update=force_update or (not is_new and update_fields is None),
            using=using,
            update_fields=self._with_checked_fields(update_fields),
        )
        DayVersion.objects.renew_around(shown)
        Appointment.objects.update_last_contact(lowered)
        if is_rearranged:
            self._mark_not_informed()

    def _with_checked_fields(self, update_fields: Iterable[str] | None) -> Iterable[str] | None:
        """Add the fields that the checks look at: they look at the whole appointment, so all of it is written."""
        if update_fields is None:
            return None
        return {*update_fields, *self.TRACKED_FIELDS, "end_time", "outside_hours_reason", "updated_at"}

    def _mark_not_informed(self) -> None:
        """Ask for a patient who was already informed about the former time to be informed again."""
        for displacement in self.displacements.exclude(informed_at=None):
            displacement.mark_not_informed()

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete under the doctor's and the patient's lock. Users cancel instead, which keeps the record."""
        with transaction.atomic():
            locking.lock_diaries(doctor_ids=[self.doctor_id], patient_ids=())
            patient_ids = list(Appointment.objects.filter(pk=self.pk).values_list("patient_id", flat=True))
            locking.lock_patients(patient_ids)
            deleted = super().delete(*args, **kwargs)
            DayVersion.objects.renew_around([self.booked_time])
            Appointment.objects.update_last_contact(patient_ids)
        return deleted

    @contextmanager
    def _restored_if_not_saved(self) -> Iterator[None]:
        """Restore the instance if saving fails, so that it can be saved again."""
        before = (self.pk, self.version, self._state.adding)
        try:
            yield
        except BaseException:
            self.pk, self.version, self._state.adding = before
            raise

    def _lock_diaries(self) -> None:
        locking.lock_diaries(
            doctor_ids={self.doctor_id, self.original.get("doctor_id", self.doctor_id)},
            patient_ids=self._patient_ids() if self.takes_patient else (),
            start_time=self.start_time,
        )

    def _patient_ids(self) -> set[int]:
        """Return the patient's id and the original one's."""
        return {self.patient_id, self.original.get("patient_id", self.patient_id)}

    def _check_under_lock(self) -> None:
        if not self._state.adding:
            with refusals_as_lost_race():
                self._check_original()
        if self.takes_time:
            check_diaries(self)

    def _check_original(self) -> None:
        """Check that the row is as it was read: `gone`, `stale`."""
        row = Appointment.objects.filter(pk=self.pk).order_by().values(*self.TRACKED_FIELDS).first()
        if row is None:
            rules.refuse_gone("appointment")
        # Not the version alone: after a rollback, an instance has the version that it did not get.
        if row != self.original:
            rules.check_not_stale(row["version"], seen_version=-1)


auditlog.register(Appointment, exclude_fields=["version", "updated_at", "booking_key", "end_time", "displacements"])
