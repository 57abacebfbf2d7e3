"""Forms of the front desk: what people type in clinic time becomes instants here."""

import datetime as dt
import uuid
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import parse_qs

from crispy_forms.layout import HTML, Div, Field, Fieldset, Layout
from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms.models import ModelChoiceIterator

from appointments import rules
from appointments.models import Appointment
from appointments.statuses import CancelledBy
from clinic.core import clinic_time
from clinic.core.appointment_length import MAX_MINUTES, MIN_MINUTES
from clinic.html.bound_data import replace_value
from clinic.html.crispy import bare_helper
from clinic.html.widgets import DateInput, TimeInput
from clinic.web.http import parse_number
from doctors.models import Doctor
from patients.models import Patient

_MODEL = Appointment._meta
COMMON_LENGTHS = (15, 20, 30, 45, 60, 90)
WHICH = [(clinic_time.FIRST, "Before the clocks go back"), (clinic_time.SECOND, "After the clocks go back")]


class ActiveDoctors(ModelChoiceIterator):
    """The doctors that a form offers."""

    def __init__(self, field: Any) -> None:
        super().__init__(field)
        self.queryset = Doctor.objects.active()


class DoctorChoiceField(forms.ModelChoiceField):
    """A doctor, shown with the specialization.

    Only active doctors are offered, but any is understood, so that it is the rule that refuses and says why.
    """

    iterator = ActiveDoctors

    def label_from_instance(self, doctor: Any) -> str:
        """Return what stands in the list."""
        return f"{doctor.full_name} · {doctor.specialization}"


class ActionForm(forms.Form):
    """A form that shows what a verb of `booking` refused."""

    next = forms.CharField(widget=forms.HiddenInput, required=False)  # the day view that led here

    # Names of the model's fields to those of the form, where the two differ.
    field_names: ClassVar[dict[str, str]] = {"start_time": "time"}
    # Hidden fields whose errors the page shows.
    shown_hidden: ClassVar[frozenset[str]] = frozenset()

    def clean(self) -> dict[str, Any]:
        """Refuse what is wrong with a hidden field above the form, renewed: there nobody could see or mend it."""
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
        """Show each message at the field it is about, or above the form if it has no such field."""
        errors = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
        for name, messages in errors.items():
            shown_at = self.field_names.get(name, name)
            for message in messages:
                self.add_error(shown_at if shown_at in self.fields else None, message)


class VersionedForm(ActionForm):
    """A form that carries the version it was shown; refused as stale and sent again, it counts as decided."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def add_refusal(self, refusal: ValidationError) -> None:
        """Show the refusal; let the form be about what is shown now."""
        super().add_refusal(refusal)
        if self.has_error(NON_FIELD_ERRORS, "stale"):
            self.renew("version")


class OverrideReasonMixin:
    """For forms with a tick `outside_hours` that comes before its `outside_hours_reason`: one counts with the other."""

    cleaned_data: dict[str, Any]

    def clean_outside_hours_reason(self) -> str:
        """Return the reason if it was ticked; refuse a tick without one."""
        is_ticked, reason = self.cleaned_data.get("outside_hours", False), self.cleaned_data["outside_hours_reason"]
        rules.check_outside_hours_reason(reason, is_ticked=is_ticked)
        return reason if is_ticked else ""


class DefaultDurationMixin:
    """For forms in which a doctor comes before `duration_minutes`, which may stay empty."""

    cleaned_data: dict[str, Any]
    held_minutes: int | None = None  # of the appointment that is changed

    def clean_duration_minutes(self) -> int | None:
        """Return the length entered, else that of the appointment being changed, else the doctor's usual one."""
        minutes, doctor = self.cleaned_data["duration_minutes"], self.cleaned_data.get("doctor")
        if minutes is None:
            minutes = self.held_minutes or (doctor and doctor.usual_minutes)
        return minutes


class SlotForm(OverrideReasonMixin, DefaultDurationMixin, ActionForm):
    """Doctor, date, time and length: where and when an appointment takes place.

    `cleaned_data["start_time"]` is the instant meant. Who `may_book_outside_hours` is offered to, with a tick and a
    reason, once a time was refused for that alone.
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

    @property
    def offers_outside_hours(self) -> bool:
        """Whether the form shows the tick and the reason."""
        codes = {error.code for error in self.errors.as_data().get("time", ())} if self.is_bound else set()
        could_help = bool(codes) and codes <= rules.OUTSIDE_HOURS
        is_asked_for = could_help or bool(self["outside_hours"].value())
        return self.may_book_outside_hours and is_asked_for

    def clean(self) -> dict[str, Any]:
        """Turn date and time into the instant meant; a time that comes twice asks which."""
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
    """Book an appointment. The patient is one of those found, never a list of everyone."""

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
        """Make the form; one that `registers` has its patient from a form of its own, a walk-in needs no time."""
        super().__init__(data, initial=initial)
        self.fields["patient"].required = not registers
        for name in ("doctor", "date", "time") if walks_in else ():
            self.fields[name].required = False
        self.helper = bare_helper()
        self.helper.layout = Layout(
            Fieldset("Patient", HTML("{% include 'appointments/booking/_patient_picker.html' %}")),
            Fieldset("Doctor and time", *slot_layout()),
            Field("reason"),
            Field("notes"),
            "booking_key",
            "next",
        )

    def add_refusal(self, refusal: ValidationError) -> None:
        """Show what was refused; a form that has booked before gets a new key, to book again if sent again."""
        super().add_refusal(refusal)
        if self.has_error(NON_FIELD_ERRORS, "booking_key_used"):
            self.renew("booking_key")


class MoveForm(VersionedForm, SlotForm):
    """Give an appointment another doctor, time or length."""

    move_reason = forms.CharField(label="Why (optional)", max_length=200, required=False)

    def __init__(self, data: Any = None, *, appointment: Appointment, initial: dict[str, Any] | None = None) -> None:
        wall = clinic_time.local(appointment.start_time)
        held = {
            "doctor": appointment.doctor_id,
            "date": wall.date(),
            "time": wall.time(),
            "which": wall.fold if clinic_time.is_repeated(wall) else "",
            "duration_minutes": appointment.duration_minutes,
            "version": appointment.version,
        }
        super().__init__(data, initial=held | (initial or {}))
        self.held_minutes = appointment.duration_minutes
        self.helper = bare_helper()
        self.helper.layout = Layout(Fieldset("Doctor and time", *slot_layout()), "move_reason", "version", "next")
        self.fields["move_reason"].widget.attrs["data-saved-as"] = f"move-{appointment.pk}"


# What callers say most, with who it is that cancels: one click each.
QUICK_REASONS = (
    (CancelledBy.PATIENT, ("Cannot come", "Feels better", "Will call again")),
    (CancelledBy.CLINIC, ("Doctor is away", "Booked by mistake")),
)


def with_quick_reason(typed: dict[str, Any]) -> dict[str, Any]:
    """Return what was typed with who and why put in, if the button of a usual reason was pressed."""
    who, _colon, why = typed.get("quick", "").partition(":")
    return typed | {"cancelled_by": who, "cancel_reason": why} if why else typed


class CancelForm(VersionedForm):
    """Call an appointment off."""

    cancelled_by = forms.ChoiceField(label="Who cancels", choices=CancelledBy.choices, widget=forms.RadioSelect)
    cancel_reason = forms.CharField(label="Reason", max_length=_MODEL.get_field("cancel_reason").max_length)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = bare_helper()


def slot_layout() -> list[Any]:
    """Return the crispy layout of where and when."""
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


def slot_initial(query: Any) -> dict[str, Any]:
    """Return the form's starting values from an address's `doctor`, `date`, `time`, `which`, `minutes`.

    What is missing or makes no sense is left out: a filled-in address is a help, never an obstacle.
    """
    initial: dict[str, Any] = {}
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
    """Return what was typed with the time put in whose button of that name was pressed, if one was.

    A button that takes a move back says, too, which version of the appointment it is about.
    """
    taken = {name: values[0] for name, values in parse_qs(typed.get(button, "")).items()}
    if not taken:
        return typed
    seen = {"version": taken["version"]} if "version" in taken else {}
    return typed | seen | {"which": ""} | {name: str(value) for name, value in slot_initial(taken).items()}
