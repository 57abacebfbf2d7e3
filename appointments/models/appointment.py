"""Appointments. However one is written, `save()` claims the diaries, checks them, and writes."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from auditlog.registry import auditlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from appointments import locking, rules
from appointments.querysets import AppointmentQuerySet
from appointments.rights_rules import TEXTS, check_no_text_for_anonymised
from appointments.statuses import CancelledBy, Stamped, Status
from clinic.core import clinic_time
from clinic.core.appointment_length import LONGEST, MAX_MINUTES, MIN_MINUTES, USUAL_MINUTES
from clinic.core.field_errors import FieldErrors
from clinic.db.tracked_fields import TrackedFields
from clinic.db.transactions import LostRace
from doctors.availability_loader import load_doctor_availability
from doctors.models import Doctor
from patients.models import Patient
from patients.rules import check_not_anonymised

MAX_NOTES = 2000


class CheckConstraintWithoutValidation(models.CheckConstraint):
    """A constraint of the database only; people hear of it from `clean()`.

    Django's own validation runs a query that swallows database errors, and one between claim and write cost 17
    double bookings on a cluster.
    """

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Leave it to the rules."""


class Appointment(TrackedFields):
    """A patient's visit to a doctor, from `start_time` up to but not including `end_time`."""

    # What decides which rules and claims a change needs.
    TRACKED_FIELDS = (
        "doctor_id",
        "patient_id",
        "start_time",
        "duration_minutes",
        "status",
        "arrived_at",
        "started_at",
        "completed_at",
        "version",
    )

    # Why the change that is about to be saved is made: it belongs to the change, so the audit trail keeps it.
    reason_of_change = ""

    # Why a change of doctors' time has hit the visit, as `appointments.displaced.finder` found.
    hit_because: frozenset[str] = frozenset()

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="appointments")
    doctor = models.ForeignKey(Doctor, on_delete=models.PROTECT, related_name="appointments")
    start_time = models.DateTimeField("start")
    duration_minutes = models.PositiveSmallIntegerField("length in minutes", default=USUAL_MINUTES)
    end_time = models.DateTimeField("end", editable=False)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.BOOKED)
    reason = models.CharField(max_length=200, blank=True, help_text="Seen in the schedule.")
    notes = models.TextField(max_length=MAX_NOTES, blank=True, validators=[MaxLengthValidator(MAX_NOTES)])
    outside_hours_reason = models.CharField(
        "why nevertheless",
        max_length=200,
        blank=True,
        help_text="Of a visit booked outside hours, in leave, closed, or in a gap.",
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
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancelled_by = models.CharField(max_length=10, choices=CancelledBy.choices, blank=True)
    cancel_reason = models.CharField(max_length=200, blank=True)
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
        """The patient whose data an audit entry of this record holds."""
        return self.patient_id

    def get_absolute_url(self) -> str:
        """Return the address of the appointment's page."""
        return reverse("appointments:appointment_detail", args=[self.pk])

    def get_additional_data(self) -> dict[str, str] | None:
        """Return what the audit entry of a change says beside it; auditlog asks."""
        return {"reason": self.reason_of_change} if self.reason_of_change else None

    @property
    def is_blocking(self) -> bool:
        """Whether the visit occupies the doctor and the patient."""
        return rules.is_blocking(self.status)

    @property
    def stamped(self) -> Stamped:
        """Which steps the row has a time for; an undo has cleared one here before it is checked."""
        held = self.held
        return Stamped(*(held.get(name) is not None for name in ("arrived_at", "started_at", "completed_at")))

    @property
    def takes_time(self) -> bool:
        """Whether saving this needs time in the diaries that the row did not hold before."""
        if not self.is_blocking:
            return False
        if self.changes("doctor_id", "patient_id", "start_time", "duration_minutes"):
            return True
        return not rules.is_blocking(self.held["status"])

    @property
    def takes_patient(self) -> bool:
        """Whether saving this needs the patient's diary: for time in it, or since the visit was another patient's."""
        return self.takes_time or (not self._state.adding and self.changes("patient_id"))

    def _is_rearranged(self) -> bool:
        """Return whether saving this changes with whom, when or whether the visit is to take place."""
        is_off, was_off = (status == Status.CANCELLED for status in (self.status, self.held["status"]))
        return self.changes("doctor_id", "start_time") or is_off != was_off

    def clean_fields(self, exclude: Any = None) -> None:
        """Tidy the texts and check each field for itself; a time without zone must not pass for clinic time."""
        self._refused: frozenset[str] = frozenset()
        self.reason = " ".join((self.reason or "").split())
        self.cancel_reason = " ".join((self.cancel_reason or "").split())
        self.outside_hours_reason = " ".join((self.outside_hours_reason or "").split())
        errors = FieldErrors()
        with errors.at("start_time"):
            rules.check_aware(self.start_time)
        with errors.at("duration_minutes"):
            rules.check_whole_minutes(self.duration_minutes)
        if isinstance(self.duration_minutes, int):
            exclude = {*(exclude or ()), "duration_minutes"}  # the rule says it better than the column's range
        try:
            errors.raise_any()
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            self._refused = frozenset(error.error_dict)
            raise

    def clean(self) -> None:
        """Check all rules of an appointment. It only looks; `save()` looks again under the claim.

        Raises:
            ValidationError: by field, with the codes of `rules`.
        """
        if self._is_unclear():
            return
        now = timezone.now()
        errors = FieldErrors()
        with errors.at("duration_minutes"):
            rules.check_duration(self.duration_minutes)
        with errors.at("start_time"):
            rules.check_calendar(self.start_time)
        errors.raise_any()
        self._set_times()
        if self.changes("start_time"):
            with errors.at("start_time"):
                rules.check_not_past(self.start_time, at=now)
        if not self._state.adding:
            self._check_change(errors, now)
        self._check_patient(errors)
        with errors.at("cancelled_by"):
            rules.check_cancellation(self.status, cancelled_by=self.cancelled_by)
        with errors.at("cancel_reason"):
            rules.check_cancel_reason(self.status, cancel_reason=self.cancel_reason)
        errors.raise_any()
        if self._refuses("doctor", "patient") or None in (self.doctor_id, self.patient_id):
            return
        if self.takes_time:
            self._check_diaries(errors, self.doctor)
            errors.raise_any()

    def _is_unclear(self) -> bool:
        """Return whether a field says nothing that rules could be asked about; `clean_fields()` has then refused it."""
        if None in (self.start_time, self.duration_minutes):
            return True
        return self._refuses("start_time", "duration_minutes", "status")

    def _refuses(self, *fields: str) -> bool:
        refused: frozenset[str] = getattr(self, "_refused", frozenset())
        return not refused.isdisjoint(fields)

    def _check_patient(self, errors: FieldErrors) -> None:
        """Check that nothing is booked for, or written about, a patient who has been anonymised."""
        if self.patient_id is None or self._refuses("patient"):
            return
        if self._state.adding or self.takes_patient:
            with errors.at("patient"):
                check_not_anonymised(self.patient.anonymised_at)
        for name in TEXTS:
            with errors.at(name):
                check_no_text_for_anonymised(getattr(self, name), of_nobody=self.patient.anonymised_at is not None)

    def _check_change(self, errors: FieldErrors, now: dt.datetime) -> None:
        held = self.held
        if self.changes("doctor_id", "patient_id", "start_time"):
            with errors.at("start_time"):
                rules.check_movable(held["status"], old_start=held["start_time"], new_start=self.start_time)
        if self.changes("status"):
            with errors.at("status"):
                rules.check_transition(
                    held["status"],
                    self.status,
                    stamped=self.stamped,
                    start_time=self.start_time,
                    end_time=self.end_time,
                    at=now,
                )

    def _check_diaries(self, errors: FieldErrors, doctor: Doctor) -> None:
        """Check what depends on other rows: that the doctor takes appointments and is there, and both are free.

        Five queries, six of a doctor with a gap. Of a time that has passed nobody asks whether the doctor was there,
        or had the gap: it is history.
        """
        comes_back = not self._state.adding and self.held["status"] == Status.CANCELLED
        if comes_back or self.changes("doctor_id", "start_time"):
            with errors.at("doctor"):
                rules.check_active(doctor)
        is_longer = self.duration_minutes > self.held.get("duration_minutes", 0)
        is_new_time = comes_back or is_longer or self.changes("doctor_id", "start_time")
        is_arranged = is_new_time and self.start_time > timezone.now()
        is_overridden = False
        others = Appointment.objects.exclude(pk=self.pk)
        in_diary, span = others.for_doctor(self.doctor_id), (self.start_time, self.end_time)
        if is_arranged:
            with errors.at("start_time"):
                time = load_doctor_availability(self.doctor_id, *span)
                is_overridden |= self._overrides(partial(rules.check_open, time, *span, doctor=doctor))
        with errors.at("start_time"):
            rules.check_doctor_free(in_diary, *span)
            if is_arranged:
                is_overridden |= self._overrides(partial(rules.check_gap_kept, in_diary, *span, doctor=doctor))
        with errors.at("start_time"):
            rules.check_patient_free(others.for_patient(self.patient_id), *span)
        if is_arranged and not is_overridden:
            self.outside_hours_reason = ""  # it is not needed

    def _overrides(self, check: Callable[[], None]) -> bool:
        """Check a rule that a reason overrides; return whether one does."""
        try:
            check()
        except ValidationError:
            if not self.outside_hours_reason:
                raise
            return True
        return False

    def _set_times(self) -> None:
        rules.check_whole_minutes(self.duration_minutes)
        self.duration_minutes = models.IntegerField().to_python(self.duration_minutes)
        start_time = models.DateTimeField().to_python(self.start_time)
        rules.check_aware(start_time)
        self.start_time = clinic_time.whole_minute(start_time)
        self.end_time = self.start_time + dt.timedelta(minutes=self.duration_minutes)

    def save(
        self,
        *,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Claim the diaries, check them, write: nothing in between that could swallow a database error.

        A new record is only ever inserted and an old one only updated, so that neither turns into the other when
        somebody deletes the row, or when a new record is given a key that exists.

        Locks: the doctors' rows (old and new), then, if time is taken or the patient is another, the patients'.

        Raises:
            ValidationError: `naive`, `status`, or `duration` for a fraction of a minute.
            LostRace: `doctor_overlap`, `patient_overlap` or `inactive`; `stale` if the row has changed since it was
                read; `gone` if it, doctor or patient are no more; `anonymised`. Nothing is written.
        """
        self._set_times()
        rules.check_status(self.status)
        if update_fields is not None:
            # The checks look at the whole visit, so the whole visit is written.
            update_fields = {*update_fields, *self.TRACKED_FIELDS, "end_time", "outside_hours_reason", "updated_at"}
        is_rearranged = not self._state.adding and self._is_rearranged()
        with self._as_before_if_refused(), transaction.atomic():
            self._claim()
            self._check_claimed()
            self.version = 1 if self._state.adding else self.version + 1
            super().save(
                force_insert=force_insert or self._state.adding,
                force_update=force_update or (not self._state.adding and update_fields is None),
                using=using,
                update_fields=update_fields,
            )
            if is_rearranged:
                for hit in self.hits.exclude(reached_at=None):  # who was told of the time before must be told anew
                    hit.mark_not_informed()
        self.remember()

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the visit from the claimed diary. People cancel instead, which keeps the record."""
        with transaction.atomic():
            locking.claim(doctor_ids=[self.doctor_id], patient_ids=())
            return super().delete(*args, **kwargs)

    @contextmanager
    def _as_before_if_refused(self) -> Iterator[None]:
        """Leave the instance so that it can be saved again, and call a refusal under the claim a lost race."""
        before = (self.pk, self.version, self._state.adding)
        try:
            yield
        except BaseException as error:
            self.pk, self.version, self._state.adding = before
            if isinstance(error, ValidationError):
                raise LostRace(error) from error
            raise

    def _claim(self) -> None:
        held = self.held
        locking.claim(
            doctor_ids={self.doctor_id, held.get("doctor_id", self.doctor_id)},
            patient_ids={self.patient_id, held.get("patient_id", self.patient_id)} if self.takes_patient else (),
        )

    def _check_claimed(self) -> None:
        errors = FieldErrors()
        if not self._state.adding:
            row = Appointment.objects.filter(pk=self.pk).values(*self.TRACKED_FIELDS).first()
            if row is None:
                rules.refuse_gone("appointment")
            # Not the version alone: an instance saved in a transaction that was rolled back has one to come.
            if row != self.held:
                rules.check_not_stale(row["version"], seen_version=-1)
        if self.takes_time:
            self._check_diaries(errors, Doctor.objects.get(pk=self.doctor_id))  # as it is now, under the claim
        errors.raise_any()


auditlog.register(Appointment, exclude_fields=["version", "updated_at", "booking_key", "end_time", "hits"])
