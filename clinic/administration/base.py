import logging
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from auditlog.mixins import AuditlogHistoryAdminMixin
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from clinic.administration.lists import MAX_SELECTED, CappedPaginator, ShortQueryChangeList, capped_count
from clinic.administration.site import option_text
from clinic.audit.models import AuditEntry, Event, patient_id_of
from clinic.db.transactions import LostRace, retrying
from clinic.web.denied_access import record_refused
from clinic.web.http import parse_number
from clinic.web.saved_forms import prefilled_form, take_saved_form

logger = logging.getLogger(__name__)


class IdAutocompleteSelect(AutocompleteSelect):
    """An autocomplete field that ignores values that are no id; Django's looks them up and fails."""

    def optgroups(self, name: str, value: Sequence[str], attrs: Any = None) -> Any:
        ids = [each for each in value if not each or parse_number(each) is not None]
        return super().optgroups(name, ids, attrs)


class SafeModelAdmin(AuditlogHistoryAdminMixin, admin.ModelAdmin):
    """Runs every write as one unit of work, and again after a lost race: the loser gets the ordinary error."""

    auditlog_history_template = "admin/audit_history.html"
    auditlog_history_per_page = 50
    # Columns that a long list can be sorted by, because an index serves them; a short list by any.
    indexed_columns: ClassVar[Sequence[str]] = ()
    list_per_page = 50
    list_max_show_all = 50
    paginator = CappedPaginator
    show_facets = admin.ShowFacets.NEVER  # which count all records once for each choice
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ShortQueryChangeList]:
        return ShortQueryChangeList

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """Carry out an action on the selected records, or on all of the list if these are not too many."""
        is_for_all = request.POST.get("select_across", "0") != "0"
        if is_for_all and capped_count(queryset) > MAX_SELECTED:
            text = f"At most {MAX_SELECTED} can be changed at once. Nothing has been changed: narrow the list first."
            self.message_user(request, text, messages.ERROR)
            return None
        response: HttpResponse | None = super().response_action(request, queryset, *args, **kwargs)
        return response

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list.

        Raises:
            ValueError: the address asks for a page or a value that does not exist. Django would report the second time
                that the database is broken.
        """
        try:
            return super().get_changelist_instance(request)
        except IncorrectLookupParameters as error:
            raise ValueError("no such page or value") from error

    def get_urls(self) -> Any:
        """Return Django's URLs only: "History" shows the audit trail, so it needs no URL of its own."""
        return super(AuditlogHistoryAdminMixin, self).get_urls()

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show all of the record's audit entries, also of changes outside the admin."""
        if self.get_object(request, unquote(object_id)) is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return self.auditlog_history_view(request, object_id, {"title": "History"} | (extra_context or {}))

    def auditlog_history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show the changes of a record; reads are on the portal's audit trail page."""
        record = self.get_object(request, unquote(object_id))
        entries = AuditEntry.objects.get_for_object(record).writes().select_related("actor").order_by("-pk")
        paginator = Paginator(entries, self.auditlog_history_per_page)  # counts all, so that none is left out
        page = paginator.get_page(request.GET.get(PAGE_VAR, 1))
        changes = {
            "log_entries": page,
            "page_range": paginator.get_elided_page_range(page.number),
            "pagination_required": paginator.count > self.auditlog_history_per_page,
        }
        response: HttpResponse = super().auditlog_history_view(request, object_id, changes | (extra_context or {}))
        self._record_read(record)
        return response

    def _record_read(self, record: Any) -> None:
        """Record a read, if the record contains a patient's data or is an audit entry."""
        if isinstance(record, AuditEntry) or patient_id_of(record) is not None:
            AuditEntry.objects.record(Event.READ, record)

    # The only place where Django knows that an admin page's record does not exist; test_refusals.py fails without it.
    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        if (pk := parse_number(unquote(object_id))) is not None:
            record_refused(request, self.model, pk)
        response: HttpResponse = super()._get_obj_does_not_exist_redirect(request, opts, object_id)
        return response

    def record_form_read(self, request: HttpRequest, form: Any) -> None:
        """Record whose data a form shows: the record's own patient, and others chosen in it."""
        record = form.instance if form.instance.pk else None
        if form.is_bound and patient_id_of(record) is not None:
            # The bound form has already changed its record, perhaps to another patient's id.
            record = self.model._default_manager.filter(pk=form.instance.pk).first()
        self._record_read(record)
        for choices, pk in _newly_chosen_patients(form):
            chosen = choices.filter(pk=pk).first()
            if chosen is None:
                record_refused(request, choices.model, pk)
            else:
                self._record_read(chosen)

    def render_delete_form(self, request: HttpRequest, context: Any) -> HttpResponse:
        self._record_read(context["object"])
        response: HttpResponse = super().render_delete_form(request, context)
        return response

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Return the form, filled in as the user left it when their session ended."""
        form = super().get_form(request, *args, **kwargs)
        typed = take_saved_form(request)
        return form if typed is None else prefilled_form(form, typed)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Use a widget that refuses a forged id which is no number at its field."""
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = IdAutocompleteSelect(db_field, self.admin_site)
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None:
            field.label_from_instance = option_text
        return field

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the record, or None; Django fails at an empty `_to_field`."""
        return super().get_object(request, object_id, from_field or None)

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """Leave out an invalid time in the address, at which Django's field for date and time fails."""
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        for field in self.opts.fields:
            if isinstance(field, models.DateTimeField) and field.name in initial:
                try:
                    initial[field.name] = forms.DateTimeField().clean(initial[field.name])
                except ValidationError:
                    del initial[field.name]
        return initial

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Retry around the whole view, because UserAdmin opens a transaction of its own in it."""
        return _retrying_view(request, lambda: super(SafeModelAdmin, self).add_view(request, *args, **kwargs))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add or change a record. The read is recorded after the transaction, which may be rolled back.

        A race that is lost again at the second run is a message above a new form.
        """

        def view() -> HttpResponse:
            response = super(SafeModelAdmin, self).changeform_view(request, *args, **kwargs)
            if (shown := _context_of(response).get("adminform")) is not None:
                self.record_form_read(request, shown.form)
            return response

        try:
            return _retrying_view(request, view)
        except LostRace as refusal:
            self.message_user(request, " ".join(refusal.messages), messages.ERROR)
            return redirect(request.get_full_path())

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _retrying_view(request, lambda: super(SafeModelAdmin, self).delete_view(request, *args, **kwargs))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """List records, or carry out an action on all of the selected records or none."""

        def view() -> HttpResponse:
            if request.method != "POST":
                return super(SafeModelAdmin, self).changelist_view(request, *args, **kwargs)
            with transaction.atomic():
                return super(SafeModelAdmin, self).changelist_view(request, *args, **kwargs)

        try:
            response = _retrying_view(request, view)
            self._record_listed(request, response)
            return response
        except (ValueError, OverflowError) as error:
            # Filters, hierarchy and actions look up any text from the URL and the form, also what is no number or date.
            if not (request.GET or request.POST):
                raise
            logger.warning("A list at %s could not be shown as asked: %s", request.path, type(error).__name__)
            self.message_user(request, "The filter is not valid: showing the whole list instead.", messages.ERROR)
            return redirect(request.path)

    def _record_listed(self, request: HttpRequest, response: HttpResponse) -> None:
        """Record whose data a list, or the confirmation of an action, shows. The rows are read once, here."""
        context = _context_of(response)
        if "queryset" in context:
            AuditEntry.objects.record_listed(Event.READ, self.model, context["queryset"])
        if (changes := context.get("cl")) is None:
            return
        event = Event.SEARCH if changes.query else Event.READ
        AuditEntry.objects.record_listed(event, self.model, changes.result_list)


def _context_of(response: HttpResponse) -> dict[str, Any]:
    return getattr(response, "context_data", None) or {}


def _newly_chosen_patients(form: Any) -> Iterator[tuple[Any, int]]:
    """Yield choices and chosen id of each field where another patient's record was chosen than before."""
    for name, field in form.fields.items():
        choices = getattr(field, "queryset", None)
        if hasattr(getattr(choices, "model", None), "trail_patient_id"):
            pk = parse_number(str(form[name].value()))
            if pk is not None and not (form.instance.pk and pk == form.initial.get(name)):
                yield choices, pk


def _retrying_view(request: HttpRequest, view: Any) -> HttpResponse:
    """Run a view as a unit of work; drop the messages of a run that was rolled back."""

    @retrying
    def run() -> HttpResponse:
        storage: Any = messages.get_messages(request)
        storage._queued_messages = []  # no public way to remove one; tests of lost races in the admin fail without it
        return view()

    return run()


class ProtectedModelAdmin(SafeModelAdmin):
    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Put the advice before the list of protected objects."""
        to_delete, model_count, perms_needed, protected = super().get_deleted_objects(objs, request)
        if protected:
            return to_delete, model_count, set(), [self.model.delete_advice, *protected]
        return to_delete, model_count, perms_needed, protected


def refusals_of(error: ValidationError) -> str:
    return " ".join(error.messages)
