"""Forms of the front desk. They convert clinic time to instants."""

import datetime as dt
import uuid
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import parse_qs

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Div, Field, Fieldset, Layout
from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms.models import ModelChoiceIterator
from django.utils.functional import cached_property

from appointments import rules
from appointments.availability.search import parse_slot
from appointments.models import Appointment
from appointments.statuses import CancelledBy
from clinic.core import clinic_time
from clinic.core.appointment_length import MAX_MINUTES, MIN_MINUTES
from clinic.html.bound_data import replace_value
from clinic.html.crispy import bare_helper
from clinic.html.widgets import DateInput, DrawnSelect, TimeInput
from clinic.web.http import parse_number
from doctors.models import Doctor
from patients.models import Patient

_MODEL = Appointment._meta
COMMON_LENGTHS = (15, 20, 30, 45, 60, 90)
WHICH = [(clinic_time.FIRST, "Before the clocks go back"), (clinic_time.SECOND, "After the clocks go back")]


class ActiveDoctors(ModelChoiceIterator):
    def __init__(self, field: Any) -> None:
        super().__init__(field)
        self.queryset = Doctor.objects.active()


class DoctorChoiceField(forms.ModelChoiceField):
    """Offers active doctors, but accepts any, so that the rule refuses an inactive one and says why."""

    iterator = ActiveDoctors
    widget = DrawnSelect

    def label_from_instance(self, doctor: Any) -> str:
        return f"{doctor.full_name} · {doctor.specialization}"


class ActionForm(forms.Form):
    """A form that shows the refusals of `booking.actions`."""

    next = forms.CharField(widget=forms.HiddenInput, required=False)  # the page to return to

    # Names of the model's fields to those of the form, where the two differ.
    field_names: ClassVar[dict[str, str]] = {"start_time": "time"}
    # Hidden fields whose errors the page shows.
    shown_hidden: ClassVar[frozenset[str]] = frozenset()

    def clean(self) -> dict[str, Any]:
        """Show errors of hidden fields above the form, and renew these fields: a user could not correct them."""
        cleaned = super().clean() or {}
        hidden = {field.name for field in self.hidden_fields()} - self.shown_hidden
        if wrong := hidden & self.errors.keys():
            for name in wrong:
                del self.errors[name]
                self.renew(name)
            self.add_error(None, ValidationError("This form was incomplete. Send it again.", code="incomplete"))
        return cleaned

    def renew(self, name: str) -> None:
        """Let a field be shown as in a form that has just been opened."""
        replace_value(self, name, self.get_initial_for_field(self.fields[name], name))

    def add_refusal(self, refusal: ValidationError) -> None:
        """Show each message at its field, or above the form if it has no such field."""
        errors = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
        for name, messages in errors.items():
            shown_at = self.field_names.get(name, name)
            for message in messages:
                self.add_error(shown_at if shown_at in self.fields else None, message)


class VersionedForm(ActionForm):
    """A form with the version it was shown for. After a refusal as `stale` it can be sent again, which overwrites."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def add_refusal(self, refusal: ValidationError) -> None:
        super().add_refusal(refusal)
        if self.has_error(NON_FIELD_ERRORS, "stale"):
            self.renew("version")


class OverrideReasonMixin:
    """For forms with a tick box `outside_hours` before the field `outside_hours_reason`: both or neither."""

    cleaned_data: dict[str, Any]

    def clean_outside_hours_reason(self) -> str:
        is_ticked, reason = self.cleaned_data.get("outside_hours", False), self.cleaned_data["outside_hours_reason"]
        rules.check_outside_hours_reason(reason, is_ticked=is_ticked)
        return reason if is_ticked else ""


class DefaultDurationMixin:
    """For forms with an optional `duration_minutes` after `doctor`."""

    cleaned_data: dict[str, Any]
    current_minutes: int | None = None  # of the appointment that is changed

    def clean_duration_minutes(self) -> int | None:
        """Default to the length of the appointment being changed, then to the doctor's usual one."""
        minutes, doctor = self.cleaned_data["duration_minutes"], self.cleaned_data.get("doctor")
        if minutes is None:
            minutes = self.current_minutes or (doctor and doctor.usual_minutes)
        return minutes


class SlotForm(OverrideReasonMixin, DefaultDurationMixin, ActionForm):
    """Doctor, date, time and length of an appointment; `cleaned_data["start_time"]` is the instant.

    Users who `may_book_outside_hours` are offered that once a time was refused for this reason alone.
    """

    may_book_outside_hours = False

    doctor = DoctorChoiceField(Doctor.objects.all(), empty_label="Choose a doctor")
    date = forms.DateField(widget=DateInput())
    time = forms.TimeField(widget=TimeInput())
    which = forms.TypedChoiceField(
        label="Which of the two",
        choices=WHICH,
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.HiddenInput,
    )
    duration_minutes = forms.IntegerField(
        label="Length in minutes",
        required=False,
        widget=forms.NumberInput(
            attrs={
                "min": MIN_MINUTES,
                "max": MAX_MINUTES,
                "list": "common-lengths",
                "placeholder": "usual",
                "title": "Empty: the doctor's usual length",
            }
        ),
    )

    outside_hours = forms.BooleanField(label="Book outside hours", required=False)
    outside_hours_reason = forms.CharField(
        label="Reason for the exception", max_length=_MODEL.get_field("outside_hours_reason").max_length, required=False
    )

    def offer_doctors(self, doctors: list[Doctor]) -> None:
        """Let the form be shown with these doctors, who have been read already."""
        field: Any = self.fields["doctor"]
        field.choices = [
            ("", field.empty_label),
            *((doctor.pk, field.label_from_instance(doctor)) for doctor in doctors),
        ]

    @property
    def offers_outside_hours(self) -> bool:
        """Whether the form shows the tick box and the reason."""
        codes = {error.code for error in self.errors.as_data().get("time", ())} if self.is_bound else set()
        could_help = bool(codes) and codes <= rules.OUTSIDE_HOURS
        is_asked_for = could_help or bool(self["outside_hours"].value())
        return self.may_book_outside_hours and is_asked_for

    def clean(self) -> dict[str, Any]:
        """Convert date and time to an instant; ask which one if the clock change repeats the time."""
        cleaned = super().clean()
        day, time = cleaned.get("date"), cleaned.get("time")
        if day is None or time is None:
            return cleaned
        try:
            cleaned["start_time"] = clinic_time.instant_at(day, time, which=cleaned.get("which"))
        except ValidationError as error:
            if error.code == "ambiguous_time":
                self.fields["which"].widget = forms.RadioSelect(choices=WHICH)
                self.add_error("which", error)
            else:
                self.add_error("date" if error.code == "date_range" else "time", error)
        return cleaned


class BookingForm(SlotForm):
    """Book an appointment for a patient who was found or is registered with the same page."""

    patient = forms.ModelChoiceField(
        Patient.objects.all(),
        widget=forms.HiddenInput,
        error_messages={
            "required": "Find the patient and choose the right one.",
            "invalid_choice": "This patient is no longer registered. Find the patient again.",
        },
    )
    reason = forms.CharField(
        max_length=_MODEL.get_field("reason").max_length,
        required=False,
        help_text=_MODEL.get_field("reason").help_text,
    )
    notes = forms.CharField(
        max_length=_MODEL.get_field("notes").max_length,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    booking_key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    field_order = ["patient", "doctor", "date", "time", "which", "duration_minutes", "reason", "notes"]
    shown_hidden = frozenset({"patient"})

    def __init__(
        self, data: Any = None, *, registers: bool = False, walks_in: bool = False, initial: Any = None
    ) -> None:
        """Without a patient if another form `registers` one; without a time for a walk-in."""
        super().__init__(data, initial=initial)
        self.fields["patient"].required = not registers
        for name in ("doctor", "date", "time") if walks_in else ():
            self.fields[name].required = False

    @cached_property
    def helper(self) -> FormHelper:
        """The layout, which a booking that succeeds does not show."""
        helper = bare_helper()
        helper.layout = Layout(
            Fieldset("Patient", HTML("{% include 'appointments/booking/_patient_picker.html' %}")),
            Fieldset("Doctor and time", *slot_layout()),
            Field("reason"),
            Field("notes"),
            "booking_key",
            "next",
        )
        return helper

    def add_refusal(self, refusal: ValidationError) -> None:
        """Also give a form that has booked before a new key, so that sending it again books again."""
        super().add_refusal(refusal)
        if self.has_error(NON_FIELD_ERRORS, "booking_key_used"):
            self.renew("booking_key")


class MoveForm(VersionedForm, SlotForm):
    move_reason = forms.CharField(label="Reason for the move (optional)", max_length=200, required=False)

    def __init__(self, data: Any = None, *, appointment: Appointment, initial: dict[str, Any] | None = None) -> None:
        wall = clinic_time.local(appointment.start_time)
        present = {
            "doctor": appointment.doctor_id,
            "date": wall.date(),
            "time": wall.time(),
            "which": wall.fold if clinic_time.is_repeated(wall) else "",
            "duration_minutes": appointment.duration_minutes,
            "version": appointment.version,
        }
        super().__init__(data, initial=present | (initial or {}))
        self.current_minutes = appointment.duration_minutes
        self.helper = bare_helper()
        self.helper.layout = Layout(Fieldset("Doctor and time", *slot_layout()), "move_reason", "version", "next")
        self.fields["move_reason"].widget.attrs["data-saved-as"] = f"move-{appointment.pk}"


BOOKED_BY_MISTAKE = "Booked by mistake"

# The most frequent reasons, by who cancels: one click each.
QUICK_REASONS = (
    (CancelledBy.PATIENT, ("Cannot come", "Feels better", "Will call again")),
    (CancelledBy.CLINIC, ("Doctor is away", BOOKED_BY_MISTAKE)),
)


def with_quick_reason(typed: dict[str, Any]) -> dict[str, Any]:
    """Fill in who cancels and why if the button of a frequent reason was pressed."""
    who, _colon, why = typed.get("quick", "").partition(":")
    return typed | {"cancelled_by": who, "cancel_reason": why} if why else typed


class CancelForm(VersionedForm):
    cancelled_by = forms.ChoiceField(label="Who cancels", choices=CancelledBy.choices, widget=forms.RadioSelect)
    cancel_reason = forms.CharField(label="Reason", max_length=_MODEL.get_field("cancel_reason").max_length)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = bare_helper()


def slot_layout() -> list[Any]:
    return [
        Div(
            Div(Field("doctor"), css_class="col-12 col-md-6"),
            Div(Field("date"), css_class="col-6 col-md-3"),
            Div(Field("time"), css_class="col-6 col-md-3"),
            css_class="row g-2",
        ),
        Field("which"),
        HTML("{% include 'appointments/booking/_nearest_times.html' %}"),
        HTML("{% include 'appointments/booking/_outside_hours.html' %}"),
        Field("duration_minutes", wrapper_class="length-field"),
        HTML("{% include 'appointments/booking/_common_lengths.html' %}"),
    ]


def _words_of(doctor_id: int, start: dt.datetime) -> dict[str, str]:
    wall = clinic_time.local(start)
    words = {"doctor": str(doctor_id), "date": wall.date().isoformat(), "time": f"{wall:%H:%M}"}
    return words | ({"which": str(wall.fold)} if clinic_time.is_repeated(wall) else {})


def slot_initial(query: Any) -> dict[str, Any]:
    """Return initial values from `slot`, or `doctor`, `date`, `time` and `which`, and `minutes`, as far as valid."""
    initial: dict[str, Any] = {}
    if (slot := parse_slot(query.get("slot", ""))) is not None:
        query = dict(query.items()) | _words_of(*slot)
    for name, parse in (("date", dt.date.fromisoformat), ("time", dt.time.fromisoformat)):
        with suppress(KeyError, ValueError):
            initial[name] = parse(query[name])
    for name, field in (("doctor", "doctor"), ("which", "which"), ("minutes", "duration_minutes")):
        if (number := parse_number(query.get(name, ""))) is not None:
            initial[field] = number
    if initial.get("which") not in (None, clinic_time.FIRST, clinic_time.SECOND):
        del initial["which"]
    return initial


def with_slot(typed: dict[str, Any], button: str) -> dict[str, Any]:
    """Fill in the time whose button of this name was pressed, if any; one that undoes a move has a version, too."""
    taken = {name: values[0] for name, values in parse_qs(typed.get(button, "")).items()}
    if not taken:
        return typed
    seen = {"version": taken["version"]} if "version" in taken else {}
    return typed | seen | {"which": ""} | {name: str(value) for name, value in slot_initial(taken).items()}
