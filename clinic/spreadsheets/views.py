import datetime as dt
from dataclasses import dataclass
from typing import Any, NamedTuple

from crispy_forms.layout import Field, Layout
from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.core.validators import FileExtensionValidator
from django.db.models import Count
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import date_format

from clinic.audit.models import AuditEntry, Event
from clinic.html.crispy import bare_helper
from clinic.spreadsheets.drafts import ChangedMeanwhile, NothingChosen, cancel, confirm, line_of, open_draft, recheck
from clinic.spreadsheets.importer import Importer, ImportLine
from clinic.spreadsheets.models import ImportDraft, Verdict
from clinic.web.denied_access import record_refused
from clinic.web.http import StaffRequest, parse_number, sent_data

ROWS_PER_PAGE = 50

_OUTCOMES = {
    Verdict.ERROR: "to be corrected in the file",
    Verdict.SAME_PERSON: "left out, unless ticked below",
    Verdict.SAME_PHONE: "left out, unless ticked below",
    Verdict.DIFFERS: "left out, the record stays as it is",
    Verdict.REGISTERED: "left out, the record stays as it is",
    Verdict.NEW: "will be registered",
}
_DOUBTFUL = (Verdict.SAME_PERSON, Verdict.SAME_PHONE)  # imported only if ticked
_LEFT_OUT = _OUTCOMES | dict.fromkeys(_DOUBTFUL, "left out")
_GONE = "This preview is no longer there: it was cancelled, or is older than an hour. Upload the file again."
_REPLACED = "That preview is no longer there: a newer upload has taken its place. This is the newer one."
_CHANGED = "Nothing is imported yet: records have changed since this preview. Here is an updated one."
_NOTHING = "Nothing is imported yet: no row is new. Tick below which rows to import anyway, or cancel."
_CANCELLED = "Cancelled. Nothing was imported, and the uploaded rows are deleted."
_ENDINGS = ("csv", "tsv", "txt", "xlsx")  # of file names; `read_sheet` checks the content
_NO_ENDING = "Choose a file whose name ends in .csv, .tsv, .txt or .xlsx. An older Excel file has to be saved as .xlsx."
_DISMISSED = "The rows that were left out are deleted."


class UploadForm(forms.Form):
    """A file, and the order of day and month in its dates, which 03/04/1990 does not show."""

    file = forms.FileField(
        label="CSV or Excel file (.xlsx)",
        widget=forms.FileInput(attrs={"accept": ",".join(f".{ending}" for ending in _ENDINGS)}),
        validators=[FileExtensionValidator(_ENDINGS, message=_NO_ENDING)],
    )
    month_first = forms.TypedChoiceField(
        label="A date like 03/04/1990 is",
        choices=[("day", "3 April 1990, day first"), ("month", "4 March 1990, month first")],
        coerce=lambda value: value == "month",
        initial="day",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, has_dates: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_dates:
            del self.fields["month_first"]
        self.helper = bare_helper()
        self.helper.layout = Layout(*map(Field, self.fields))


@dataclass(frozen=True)
class VerdictCount:
    verdict: Verdict
    label: str
    rows: int
    outcome: str
    is_doubtful: bool
    is_ticked: bool

    @property
    def rows_text(self) -> str:
        return f"{self.rows:,}"


class ShownRow(NamedTuple):
    """Values as they were read; refused or empty ones as typed."""

    number: int
    verdict: Verdict
    label: str
    remarks: list[Any]
    similar: Any
    labelled: list[tuple[str, str]]


def upload_page(request: StaffRequest, importer: Importer) -> HttpResponse:
    form = UploadForm(sent_data(request), request.FILES or None, has_dates=importer.has_dates)
    if form.is_bound and form.is_valid():
        month_first = form.cleaned_data.get("month_first", False)
        try:
            draft = open_draft(importer, form.cleaned_data["file"], by=request.user, month_first=month_first)
        except ValidationError as error:
            form.add_error("file", error)
        else:
            return redirect(importer.preview_url, draft.pk)
    return render(request, "clinic/import_upload.html", {"form": form, "importer": importer})


def preview_page(request: StaffRequest, importer: Importer, pk: int) -> HttpResponse:
    try:
        if request.method == "POST":
            return _handle_post(request, importer, pk)
        draft = ImportDraft.objects.of(request.user, importer.kind).get(pk=pk)
    except ImportDraft.DoesNotExist:
        return _redirect_from_missing(request, importer, pk)
    if draft.registered is not None:
        return render(request, "clinic/import_result.html", _result(request, importer, draft))
    return render(request, "clinic/import_preview.html", _preview(request, importer, draft))


def _handle_post(request: StaffRequest, importer: Importer, pk: int) -> HttpResponse:
    if "look" in request.POST:
        return _show_rows(request, importer, pk)
    if "cancel" in request.POST:
        return _cancel_import(request, importer, pk)
    if "dismiss" in request.POST:
        return _dismiss_rows(request, importer, pk)
    return _confirm_import(request, importer, pk)


def _redirect_from_missing(request: StaffRequest, importer: Importer, pk: int) -> HttpResponse:
    if ImportDraft.objects.filter(pk=pk).exclude(owner=request.user).exists():
        record_refused(request, ImportDraft, pk)
    newer = ImportDraft.objects.of(request.user, importer.kind).filter(pk__gt=pk).first()
    messages.error(request, _REPLACED if newer else _GONE)
    return redirect(importer.preview_url, newer.pk) if newer else redirect(importer.upload_url)


def _show_rows(request: StaffRequest, importer: Importer, pk: int) -> HttpResponse:
    """Show other rows. A button of the form does this, as a link would lose the ticks."""
    query = QueryDict(request.POST["look"])
    wanted = {name: number for name in ("show", "page") if (number := parse_number(query.get(name, "")))}
    return _redirect_to_preview(request, importer, pk, **wanted)


def _redirect_to_preview(request: StaffRequest, importer: Importer, pk: int, **wanted: int) -> HttpResponse:
    query = QueryDict(mutable=True)
    for name, number in wanted.items():
        query[name] = str(number)
    query.setlist("also", [str(verdict.value) for verdict in _ticked_verdicts(request.POST)])
    address = reverse(importer.preview_url, args=[pk])
    return redirect(f"{address}?{query.urlencode()}" if query else address)


def _ticked_verdicts(sent: QueryDict) -> list[Verdict]:
    return [verdict for verdict in _DOUBTFUL if str(verdict.value) in sent.getlist("also")]


def _cancel_import(request: StaffRequest, importer: Importer, pk: int) -> HttpResponse:
    registered = cancel(importer, pk, by=request.user)
    if registered is None:
        messages.info(request, _CANCELLED)
        return redirect(importer.upload_url)
    messages.error(request, f"Not cancelled: this was imported already, {_count_text(importer, registered)}.")
    return redirect(importer.preview_url, pk)


def _dismiss_rows(request: StaffRequest, importer: Importer, pk: int) -> HttpResponse:
    draft = ImportDraft.objects.of(request.user, importer.kind).get(pk=pk)
    if draft.registered is None:
        return redirect(importer.preview_url, pk)
    draft.delete()
    messages.info(request, _DISMISSED)
    return redirect(importer.list_url)


def _confirm_import(request: StaffRequest, importer: Importer, pk: int) -> HttpResponse:
    try:
        registered = confirm(importer, pk, by=request.user, also=set(_ticked_verdicts(request.POST)))
    except NothingChosen:
        messages.error(request, _NOTHING)
        return _redirect_to_preview(request, importer, pk)
    except ChangedMeanwhile:
        recheck(importer, ImportDraft.objects.of(request.user, importer.kind).get(pk=pk))
        messages.error(request, _CHANGED)
        return _redirect_to_preview(request, importer, pk)
    messages.success(request, f"Imported: {_count_text(importer, registered)}.")
    return redirect(importer.preview_url, pk)


def _count_text(importer: Importer, count: int) -> str:
    return f"{count:,} {importer.noun if count == 1 else importer.kind}"


def _preview(request: StaffRequest, importer: Importer, draft: ImportDraft) -> dict[str, Any]:
    """Four queries, however many rows."""
    counts = _counts(draft)
    doubtful = bool(counts.keys() & set(_DOUBTFUL))
    return _rows_context(request, importer, draft, counts) | {
        "shares": _verdict_counts(importer, counts, _OUTCOMES, _ticked_verdicts(request.GET)),
        "errors": counts.get(Verdict.ERROR, 0),
        "errors_text": _errors_text(draft, counts.get(Verdict.ERROR, 0)),
        "new": _count_text(importer, counts[Verdict.NEW]) if Verdict.NEW in counts else "",
        "doubtful": doubtful,
        "can_be_confirmed": Verdict.ERROR not in counts and (Verdict.NEW in counts or doubtful),
        "notices": _notices(draft.details),
    }


def _result(request: StaffRequest, importer: Importer, draft: ImportDraft) -> dict[str, Any]:
    """Four queries, however many rows."""
    counts = _counts(draft)
    return _rows_context(request, importer, draft, counts) | {
        "registered": _count_text(importer, draft.registered or 0),
        "shares": _verdict_counts(importer, counts, _LEFT_OUT, []),
    }


def _counts(draft: ImportDraft) -> dict[int, int]:
    return dict(draft.rows.order_by().values_list("verdict").annotate(Count("pk")))


def _rows_context(
    request: StaffRequest, importer: Importer, draft: ImportDraft, counts: dict[int, int]
) -> dict[str, Any]:
    verdict = parse_number(request.GET.get("show", ""))
    shown = verdict if verdict in counts else None
    rows = draft.rows.order_by("verdict", "number")
    pages = Paginator(rows if shown is None else rows.filter(verdict=shown), ROWS_PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    return {
        "importer": importer,
        "draft": draft,
        "total": sum(counts.values()),
        "total_text": _rows_text(sum(counts.values())),
        "shown": shown,
        "shown_text": f"{pages.count:,}",
        "page": page,
        "turns": _page_links(page),
        "rows": _shown_rows(importer, page, month_first=draft.details["month_first"]),
    }


def _verdict_counts(
    importer: Importer, counts: dict[int, int], outcomes: dict[Verdict, str], ticked: list[Verdict]
) -> list[VerdictCount]:
    return [
        VerdictCount(each, _label(importer, each), counts[each], outcomes[each], each in _DOUBTFUL, each in ticked)
        for each in Verdict
        if each in counts
    ]


def _errors_text(draft: ImportDraft, rows: int) -> str:
    """Return `3 rows: Phone number 2 · Date of birth 1`, by column, the most frequent first."""
    by_column = sorted(draft.details["errors"].items(), key=lambda item: -item[1])
    columns = " · ".join(f"{column or 'Whole row'} {count:,}" for column, count in by_column)
    return f"{_rows_text(rows)}: {columns}"


def _rows_text(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _page_links(page: Page) -> list[tuple[str, int]]:
    links: list[tuple[str, int]] = []
    if page.has_previous():
        links += [("First rows", 1), ("Previous rows", page.previous_page_number())]
    if page.has_next():
        links += [("Next rows", page.next_page_number()), ("Last rows", page.paginator.num_pages)]
    return links


def _notices(details: dict[str, Any]) -> list[str]:
    notices = []
    if details["is_guessed"]:
        notices.append(_letters_notice(details["sample"]))
    if details["other_sheets"]:
        notices.append(f"Only the first sheet is imported. Others with cells: {', '.join(details['other_sheets'])}.")
    if details["ignored"]:
        notices.append(f"Columns that are not imported: {', '.join(details['ignored'])}.")
    if details["misread"]:
        notices.append(_dates_notice(details))
    return notices


def _letters_notice(sample: dict[str, Any] | None) -> str:
    example = f": “{sample['text']}” in row {sample['row']:,}" if sample else ""
    advice = "If a letter is wrong, cancel, save the file as “CSV UTF-8” and upload that."
    return f"The file is not UTF-8, so its letters were read as Windows-1252{example}. {advice}"


def _dates_notice(details: dict[str, Any]) -> str:
    order = "month first" if details["month_first"] else "day first"
    example = ""
    if first := details["first_misread"]:
        read = date_format(dt.date.fromisoformat(first["read"]), "j F Y")
        example = f": “{first['typed']}” in row {first['row']:,} as {read}"
    dates = f"{details['misread']:,} date{'' if details['misread'] == 1 else 's'}"
    return f"{dates} read {order}{example}. If that is wrong, cancel and choose the other way."


def _label(importer: Importer, verdict: Verdict) -> str:
    return importer.verdict_labels.get(verdict, str(verdict.label))


def _shown_rows(importer: Importer, page: Page, *, month_first: bool) -> list[ShownRow]:
    rows = list(page)
    similar = importer.model._default_manager.in_bulk([row.similar_id for row in rows if row.similar_id])
    if similar:
        AuditEntry.objects.record_listed(Event.SEARCH, importer.model, similar.values())
    shown = []
    for row in rows:
        line = line_of(row)
        importer.as_record(line, month_first=month_first)
        verdict = Verdict(row.verdict)
        labels = {name: importer.label(name) for name in importer.fields}
        values = [(column, _value_text(line, column, name)) for name, column in labels.items()]
        label, record = _label(importer, verdict), similar.get(row.similar_id)
        shown.append(ShownRow(row.number, verdict, label, row.remarks, record, values))
    return shown


def _value_text(line: ImportLine, label: str, name: str) -> str:
    typed = line.cells.get(name, "").strip()
    is_refused = any(column == label for column, _remark in line.remarks)
    value = getattr(line.record, name)
    # For a cell that could not be read, the record has the default, which would hide the file's text.
    if not typed or is_refused or value in (None, ""):
        return typed
    if isinstance(value, bool):
        return "yes" if value else "no"
    return date_format(value, "j M Y") if isinstance(value, dt.date) else str(value)
