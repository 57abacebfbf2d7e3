"""Draws the day and the week; what a column shows beside appointments is drawn once for many requests."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.safestring import SafeString

from appointments import navigation
from appointments.detail.buttons import Buttons
from appointments.models import Appointment
from appointments.navigation import schedule_url, urls_by_id
from appointments.schedule.blocks import Block, Remarks
from appointments.schedule.columns import Column
from appointments.schedule.day import Day
from appointments.schedule.grid import Place
from appointments.schedule.keeping import keep
from appointments.schedule.lanes import Lane
from appointments.schedule.list_groups import ListGroup, groups_of
from appointments.schedule.week import Week
from appointments.statuses import BLOCKING, Status
from appointments.waiting_time import STEPS_TEXT
from clinic.core.phone_numbers import tel_url
from clinic.html.drawing import draw
from doctors.models import Doctor

TEMPLATES = "appointments/schedule"
TALL_BLOCK_MINUTES = 25  # a shorter one has room for a name of one line only


class Background(NamedTuple):
    """What a column shows beside appointments, as HTML: its head, and in its lane free and unavailable time."""

    head: str
    lane: str


class DrawnSince(NamedTuple):
    """How long a patient has waited or is late. The script that counts on finds the minutes in `attribute`."""

    css: str
    attribute: str
    minutes: int
    text: str


class DrawnBlock(NamedTuple):
    """The values of an appointment in the order of the templates; `since` is a `DrawnSince`.

    `acts` names the actions for which a script answers to keys. In the grid `buttons` is the next step only.
    """

    anchor: str  # the id of its element
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
    version: str
    can_change: bool
    title: str
    since: DrawnSince | None
    exception: str
    acts: str
    buttons: str  # HTML


class DrawnColumn(NamedTuple):
    column: Column
    background: Background
    blocks: list[DrawnBlock]


class DrawnRow(NamedTuple):
    """An appointment in the list. `refusal` is why a bulk action was refused; None keeps it unticked."""

    block: DrawnBlock
    tel_url: str
    can_tick: bool
    refusal: str | None


class DrawnGroup(NamedTuple):
    group: ListGroup
    rows: list[DrawnRow]


class DrawnList(NamedTuple):
    """The groups of the list, and which of its columns are not empty. `elsewhere` are refusals of rows not in it."""

    groups: list[DrawnGroup]
    has_ticks: bool
    has_reasons: bool
    has_phones: bool
    has_buttons: bool
    elsewhere: list[tuple[int, str, str]]  # id, address, message

    @property
    def columns(self) -> int:
        """How many columns there are beside the one of ticks."""
        return 4 + self.has_reasons + self.has_phones + self.has_buttons


def _drawn_block(block: Block) -> DrawnBlock:
    """Return an appointment as the grid shows it."""
    return _drawn(block, _classes(block), *_step(block))


def _drawn(block: Block, classes: str, acts: str, buttons: str) -> DrawnBlock:
    patient, status, exception = block.patient, block.status.label, block.remarks.exception
    about = (f"{block.time}–{block.until} {patient.name}", status, exception, patient.phone)
    return DrawnBlock(
        f"{'c' if block.is_continued else 'v'}{block.pk}",
        block.pk,
        block.url,
        classes,
        block.time,
        block.until,
        block.doctor_name,
        patient.name,
        patient.phone,
        patient.reason,
        status,
        f"status-{block.status}",
        str(block.version),
        block.buttons.can_change,
        " · ".join(filter(None, about)),
        _since(block.remarks),
        exception,
        acts,
        buttons,
    )


def _classes(block: Block) -> str:
    is_due = block.is_due and block.buttons.step is not None
    return _class_names(block.status, block.place, block.lane, block.ghosts, is_due=is_due)


# Doctors' days are much alike, and are drawn again and again.
@lru_cache(maxsize=4096)
def _class_names(status: Status, place: Place, lane: Lane, ghosts: int, *, is_due: bool) -> str:
    names = ["block", f"status-{status}", *filter(None, [place.css])]
    if place.minutes < TALL_BLOCK_MINUTES:
        names.append("is-short")
    if is_due:
        names.append("is-due")
    if status == Status.CANCELLED:
        names.append(f"is-ghost lane{lane.number}")
    elif lane.of > 1:
        names.append(f"is-beside of{lane.of} lane{lane.number}")
    elif status not in BLOCKING:
        names.append("is-freed")
    if ghosts:
        names.append(f"by{min(ghosts, 3)}")
    return " ".join(names)


def _step(block: Block) -> tuple[str, str]:
    """Return the actions without a button in the grid, and the HTML of the one that has one."""
    acts, pattern = _step_pattern(block.buttons)
    if not pattern:
        return acts, ""
    return acts, pattern.replace(_URL, block.url).replace(_VERSION, str(block.version))


_URL, _VERSION = "[url]", "[version]"


@lru_cache(maxsize=1024)
def _step_pattern(buttons: Buttons) -> tuple[str, str]:
    others = [action.path for action in buttons.actions if action is not buttons.step]
    acts = " ".join([*others, "undo/"] if buttons.can_undo else others).replace("/", "")
    if buttons.step is None:
        return acts, ""
    step = draw(f"{TEMPLATES}/_step.jinja", step=buttons.step, url=_URL, version=_VERSION)
    return acts, str(step)


def _drawn_buttons(buttons: Buttons, url: str, version: int) -> str:
    """Return the HTML of an appointment's buttons; `url` is made of the portal's address and a number."""
    return _button_pattern(buttons).replace(_URL, url).replace(_VERSION, str(version))


@lru_cache(maxsize=1024)
def _button_pattern(buttons: Buttons) -> str:
    if not (buttons.actions or buttons.can_undo):
        return ""
    return str(draw(f"{TEMPLATES}/_buttons.jinja", buttons=buttons, url=_URL, version=_VERSION))


def _since(remarks: Remarks) -> DrawnSince | None:
    if (waiting := remarks.waiting) is not None:
        return DrawnSince(waiting.css, "data-waiting", waiting.minutes, waiting.text)
    late = remarks.minutes_late
    return DrawnSince("since", "data-since", late, f"late {late} min") if late else None


def _drawn_list(day: Day, listed: list[Block], refusals: dict[int, str]) -> DrawnList:
    """Return the list; `refusals` are messages by the ids of appointments, which stay ticked."""
    url_of = urls_by_id("appointments:appointment_detail")
    shown = {block.pk for block in listed}
    groups = groups_of(day, listed)
    return DrawnList(
        groups=[DrawnGroup(group, [_drawn_row(block, refusals) for block in group.blocks]) for group in groups],
        has_ticks=any(_can_tick(block.buttons) for block in listed),
        has_reasons=any(block.patient.reason for block in listed),
        has_phones=any(block.patient.phone for block in listed),
        has_buttons=any(block.buttons.actions or block.buttons.can_undo for block in listed),
        elsewhere=[(pk, url_of(pk), message) for pk, message in refusals.items() if message and pk not in shown],
    )


def _drawn_row(block: Block, refusals: dict[int, str]) -> DrawnRow:
    """Return an appointment as the list shows it, with all of its buttons."""
    drawn = _drawn(block, "", "", _drawn_buttons(block.buttons, block.url, block.version))
    return DrawnRow(drawn, tel_url(block.patient.phone), _can_tick(block.buttons), refusals.get(block.pk))


@lru_cache(maxsize=1024)
def _can_tick(buttons: Buttons) -> bool:
    """Return whether a bulk action may apply, now or when its time has passed."""
    return buttons.can_change or any(action.name in {"attended", "no_show"} for action in buttons.actions)


def draw_day(
    day: Day,
    *,
    moving: Appointment | None,
    is_list: bool,
    listed: list[Block],
    refusals: dict[int, str],
    **context: Any,
) -> SafeString:
    """Return the part of the page that its refresh replaces, without the columns of doctors whom `away` leaves out."""
    away = context["away"]
    in_grid = [column for column in day.columns if not (away and away.columns and column.is_away)]
    columns = [] if is_list else _draw_columns(in_grid, is_moving=moving is not None)
    shown_list = _drawn_list(day, listed, refusals) if is_list else None
    context |= {"moving": moving and moving.pk, "is_list": is_list, "list": shown_list}
    return draw(f"{TEMPLATES}/_day.jinja", day=day, columns=columns, waiting_steps=STEPS_TEXT, **context)


def draw_parts(columns: Iterable[Column], *, chips: Iterable[Any], etag: str) -> SafeString:
    """Return what has changed in a page that shows all other columns already: elements to be replaced by their ids."""
    template = f"{TEMPLATES}/_day_parts.jinja"
    return draw(template, columns=_draw_columns(columns), chips=chips, etag=etag, moving=None)


def draw_week(week: Week, **context: Any) -> SafeString:
    links = [_day_link(column, week) for column in week.columns]
    drawn = [
        (_draw_column(column, _week_background(column, link)), link)
        for column, link in zip(week.columns, links, strict=True)
    ]
    return draw(f"{TEMPLATES}/_week.jinja", week=week, columns=drawn, moving=None, waiting_steps=STEPS_TEXT, **context)


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


def draw_doctor_options(doctors: Iterable[Doctor], *, chosen: int | None) -> SafeString:
    options = [(doctor.pk, doctor.full_name) for doctor in doctors]
    return draw(f"{TEMPLATES}/_options.jinja", options=options, chosen=chosen)


def _draw_columns(columns: Iterable[Column], *, is_moving: bool = False) -> list[DrawnColumn]:
    """Return a day's columns with their backgrounds: kept ones, unless they offer times to move an appointment to."""
    by_doctor = {column.doctor.pk: column for column in columns}

    def backgrounds(doctor_ids: Iterable[int]) -> dict[int, Background]:
        draw_background = _DayBackgrounds(is_moving=is_moving)
        return {pk: draw_background(by_doctor[pk]) for pk in doctor_ids}

    known = [] if is_moving else [pk for pk, column in by_doctor.items() if column.version is not None]
    drawn = keep({pk: _key(by_doctor[pk]) for pk in known}, backgrounds)
    drawn |= backgrounds(by_doctor.keys() - drawn.keys())
    return [_draw_column(column, drawn[pk]) for pk, column in by_doctor.items()]


def _draw_column(column: Column, background: Background) -> DrawnColumn:
    return DrawnColumn(column, background, list(map(_drawn_block, [*column.blocks, *column.ghosts])))


def _key(column: Column) -> tuple[Any, ...]:
    """Return values that differ whenever the background does."""
    builder, doctor = column.builder, column.doctor
    clock = min(max(builder.earliest_start, builder.midnight), builder.next_midnight)
    viewer = builder.viewer
    rights = (
        *(viewer.can_book, viewer.can_enter_hours, viewer.sees_leave_reasons_of(doctor)),
        builder.offers_absence,
    )
    versions = (doctor.schedule_version, column.version)
    return ("background", doctor.pk, *versions, column.date, clock, column.grid, *rights)


class _DayBackgrounds:
    """Draws the backgrounds of a day's columns."""

    def __init__(self, *, is_moving: bool) -> None:
        self.is_moving = is_moving
        self.doctor_url = urls_by_id("doctors:doctor_detail")
        self.away_url = urls_by_id("doctors:doctor_away")

    def __call__(self, column: Column) -> Background:
        doctor = column.doctor
        week_url = "" if self.is_moving else navigation.week_url(doctor.pk, column.date)
        head = draw(
            f"{TEMPLATES}/_day_head.jinja",
            column=column,
            url=self.doctor_url(doctor.pk),
            week_url=week_url,
            away_url="" if self.is_moving or not column.offers_absence else self._away_url_of(column),
            hours_url=_hours_url(column),
            is_moving=self.is_moving,
            key=doctor.pk,
        )
        return Background(str(head), _drawn_lane(column, is_moving=self.is_moving))

    def _away_url_of(self, column: Column) -> str:
        url = self.away_url(column.doctor.pk)
        return url if column.builder.block_builder.is_today else f"{url}?day={column.date}"


def _hours_url(column: Column) -> str:
    """Return where to enter a doctor's hours, for who may, if there are none."""
    if column.opening.has_hours or not column.builder.viewer.can_enter_hours:
        return ""
    return reverse("doctors:hours_add", args=[column.doctor.pk])


def _week_background(column: Column, link: DayLink) -> Background:
    head = draw(f"{TEMPLATES}/_week_head.jinja", column=column, link=link, is_moving=False, key=column.date)
    return Background(str(head), _drawn_lane(column, is_moving=False))


def _drawn_lane(column: Column, *, is_moving: bool) -> str:
    template = f"{TEMPLATES}/_lane_background.jinja"
    shown = {"free": column.free, "unavailable": column.unavailable, "past": column.past}
    return str(draw(template, **shown, is_moving=is_moving))
