"""Admin of doctors and their time, with those who are hit: shown before a change is saved, and listed after it."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from appointments.displaced.finder import displaced_by_saving, follow_up, record_displaced_read
from appointments.displaced.forms import ConfirmedTimetableForm, ConfirmsDisplacement, HitSeenForm
from appointments.models import Appointment, ScheduleChange
from clinic.administration.base import SafeModelAdmin
from doctors import admin as doctors_admin
from doctors.models import Closure, Doctor, Leave, Timetable


class DisplacementAdminMixin(SafeModelAdmin):
    """Lists whom a change hits, and leads on to the impact page once it is saved."""

    form: type[ConfirmsDisplacement]
    change_form_template = "admin/hits_change_form.html"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save, and keep who was hit until they are told."""
        super().save_model(request, obj, form, change)
        self._follow_up(request, obj, form.hits, cause=obj.cause)

    def _follow_up(self, request: HttpRequest, obj: Any, hits: list[Appointment], *, cause: str) -> None:
        user: Any = request.user  # signed in, as clinic.access has seen
        obj.impact = follow_up(hits, cause=cause, doctors=obj.diaries(), by=user)

    # Only this runs inside Django's transaction; test_impact_admin.py fails if Django stops calling it.
    def _changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Take back what looking for hits has written, if the form was refused; Django would commit it."""
        response = super()._changeform_view(request, *args, **kwargs)  # Django's own, in a transaction
        form = getattr(getattr(response, "context_data", {}).get("adminform"), "form", None)
        if request.method == "POST" and getattr(form, "is_bound", False):
            transaction.set_rollback(True)
        return response

    def record_form_read(self, request: HttpRequest, form: Any) -> None:
        """Note whose appointments are named, too."""
        super().record_form_read(request, form)
        record_displaced_read(form.named_hits)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete, and take off the lists who is no longer hit."""
        super().delete_model(request, obj)
        self._follow_up(request, obj, [], cause="")

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete one by one, as from the page."""
        for obj in queryset:
            self.delete_model(request, obj)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Lead on to those who were hit."""
        return self._to_impact(request, obj) or super().response_add(request, obj, *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Lead on to those who were hit."""
        return self._to_impact(request, obj) or super().response_change(request, obj)

    def _to_impact(self, request: HttpRequest, obj: Any) -> HttpResponse | None:
        impact: ScheduleChange | None = obj.impact
        if impact is None or IS_POPUP_VAR in request.POST:
            return None
        self.message_user(request, f"Saved: {obj}.", messages.SUCCESS)
        return redirect(impact)


@admin.register(Doctor)
class DoctorAdmin(DisplacementAdminMixin, doctors_admin.DoctorAdmin):
    """Doctors."""

    form = ConfirmsDisplacement

    def save_active(self, request: HttpRequest, doctor: Doctor) -> bool:
        """Leave a doctor with booked appointments to the doctor's own form, which shows them."""
        hits = [] if doctor.is_active else displaced_by_saving(doctor)
        if not hits:
            super().save_active(request, doctor)
            self._follow_up(request, doctor, [], cause="")
            return True
        message = format_html(
            '{} still has booked appointments: {}. <a href="{}">Open the record</a>, take “active” away and save: '
            "it shows them.",
            doctor,
            len(hits),
            reverse("admin:doctors_doctor_change", args=[doctor.pk]),
        )
        self.message_user(request, message, messages.ERROR)
        return False


@admin.register(Timetable)
class TimetableAdmin(DisplacementAdminMixin, doctors_admin.TimetableAdmin):
    """The hours of a week."""

    form = ConfirmedTimetableForm

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the portal's own page shows first who is hit when hours end."""
        return False


@admin.register(Leave)
class LeaveAdmin(DisplacementAdminMixin, doctors_admin.LeaveAdmin):
    """Leaves of doctors."""

    form = HitSeenForm


@admin.register(Closure)
class ClosureAdmin(DisplacementAdminMixin, doctors_admin.ClosureAdmin):
    """Dates on which the clinic is closed."""

    form = HitSeenForm
