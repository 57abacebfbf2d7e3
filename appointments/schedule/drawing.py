"""Draws the day and the week; what a column shows beside appointments is drawn once for many requests."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from django.utils.formats import date_format
from django.utils.safestring import SafeString

from appointments.detail.buttons import DrawnButton
from appointments.models import Appointment
from appointments.navigation import schedule_url, urls_by_id
from appointments.schedule.blocks import Block, Remarks
from appointments.schedule.columns import Column, FreeBlock
from appointments.schedule.day import Day
from appointments.schedule.keeping import keep
from appointments.schedule.week import Week
from appointments.statuses import Status
from clinic.html.drawing import draw

TEMPLATES = "appointments/schedule"


class Background(NamedTuple):
    """What a column shows beside appointments, as HTML. `booked_share` is in percent."""

    html: str
    next_free: FreeBlock | None
    booked_share: int | None


class DrawnBlock(NamedTuple):
    """The values of an appointment in the order of the templates; `since` is minutes and words."""

    pk: int
    url: str
    css: str
    time: str
    until: str
    doctor_name: str
    name: str
    phone: str
    reason: str
    status: str
    chip: str  # the class of the status
    version: int
    can_change: bool
    since: tuple[int, str] | None
    exception: str
    buttons: Sequence[DrawnButton]


class DrawnColumn(NamedTuple):
    column: Column
    background: Background
    blocks: list[DrawnBlock]


def _drawn_block(block: Block) -> DrawnBlock:
    chip, patient, buttons = f"status-{block.status}", block.patient, block.buttons
    classes = ["block", chip, block.place.css]
    if block.is_tall:
        classes.append("is-tall")
    if block.is_beside or block.has_beside:
        classes.append("is-beside" if block.is_beside else "has-beside")
    return DrawnBlock(
        block.pk,
        block.url,
        " ".join(classes),
        block.time,
        block.until,
        block.doctor_name,
        patient.name,
        patient.phone,
        patient.reason,
        block.status.label,
        chip,
        block.version,
        buttons.can_change,
        _since(block.remarks),
        block.remarks.exception,
        buttons.drawn,
    )


def _since(remarks: Remarks) -> tuple[int, str] | None:
    if remarks.minutes_waiting is not None:
        return remarks.minutes_waiting, f"waiting {remarks.minutes_waiting} min"
    return (remarks.minutes_late, f"late {remarks.minutes_late} min") if remarks.minutes_late else None


def draw_day(day: Day, *, moving: Appointment | None, is_list: bool, listed: list[Block], **context: Any) -> SafeString:
    """Return the part of the page that its refresh replaces."""
    columns = [] if is_list else draw_columns(day.columns, is_moving=moving is not None)
    context |= _links(day.date) | {"moving": moving and moving.pk, "is_list": is_list}
    context["blocks"] = list(map(_drawn_block, listed))
    return draw(f"{TEMPLATES}/_day.jinja", day=day, columns=columns, **context)


def draw_parts(day: dt.date, columns: Iterable[Column], *, counts: list[tuple[Status, int]]) -> SafeString:
    """Return what has changed in a page that shows all other columns already: elements to be replaced by their ids."""
    drawn = draw_columns(columns)
    return draw(f"{TEMPLATES}/_day_parts.jinja", columns=drawn, counts=counts, moving=None, **_links(day))


def draw_week(week: Week, **context: Any) -> SafeString:
    columns = [(drawn, _day_link(drawn.column, week)) for drawn in draw_columns(week.columns)]
    return draw(f"{TEMPLATES}/_week.jinja", week=week, columns=columns, moving=None, **context)


class DayLink(NamedTuple):
    """The words of a date in the week, and the address of its day view for this doctor."""

    url: str
    chip: str
    head: str
    title: str
    is_today: bool


def _day_link(column: Column, week: Week) -> DayLink:
    url = schedule_url(column.date, {"doctor": str(week.doctor.pk)})
    chip, head, title = (date_format(column.date, words) for words in ("D j", "D j M", "l j F"))
    return DayLink(url, chip, head, title, column.date == week.today)


def _links(day: dt.date) -> dict[str, Callable[[int], str]]:
    return {
        "doctor_url": urls_by_id("doctors:doctor_detail"),
        "week_url": urls_by_id("appointments:doctor_week", day),
    }


def draw_columns(columns: Iterable[Column], *, is_moving: bool = False) -> list[DrawnColumn]:
    """Return the columns with their backgrounds: kept ones, unless they offer times to move an appointment to."""
    columns = list(columns)
    backgrounds = _kept_backgrounds([] if is_moving else columns)
    return [
        DrawnColumn(
            column,
            backgrounds.get(column.doctor.pk) or _drawn_background(column, is_moving=is_moving),
            list(map(_drawn_block, column.blocks)),
        )
        for column in columns
    ]


def _kept_backgrounds(columns: list[Column]) -> dict[int, Background]:
    """Return the backgrounds of the columns with a version, by doctor."""
    by_doctor = {column.doctor.pk: column for column in columns if column.version is not None}
    keys = {pk: _key(column) for pk, column in by_doctor.items()}
    return keep(keys, lambda missing: {pk: _drawn_background(by_doctor[pk]) for pk in missing})


def _key(column: Column) -> tuple[Any, ...]:
    """Return values that differ whenever the background does."""
    builder, doctor = column.builder, column.doctor
    clock = min(max(builder.earliest_start, builder.midnight), builder.next_midnight)
    rights = (builder.viewer.can_book, builder.viewer.sees_leave_reasons_of(doctor))
    versions = (doctor.schedule_version, column.version)
    return ("background", doctor.pk, *versions, column.date, clock, column.grid, *rights)


def _drawn_background(column: Column, *, is_moving: bool = False) -> Background:
    html = draw(f"{TEMPLATES}/_background.jinja", free=column.free, unavailable=column.unavailable, is_moving=is_moving)
    return Background(str(html), column.next_free, column.booked_share)
