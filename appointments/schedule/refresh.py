"""The refresh of an open page of the schedule: docs/decisions/022-refresh.md."""

import datetime as dt
from dataclasses import dataclass

from django.http import HttpResponse, HttpResponseNotModified

from appointments.availability.search import BEGIN_STEP
from appointments.schedule.versions import Versions
from clinic.web.http import StaffRequest, parse_number
from clinic.web.session_limits import BACKGROUND


@dataclass(frozen=True)
class ShownPage:
    """What the browser shows, by the headers of its request.

    `If-None-Match` has the ETag of the versions that it shows. `X-Shown-Columns` has the grid and the columns, as
    `480-1020,12:90210,13:0`: start and end, then doctors with their versions. `X-Away-Columns` has the doctors whose
    columns the page leaves out, because they are not in.
    """

    request: StaffRequest

    @property
    def is_refresh(self) -> bool:
        return BACKGROUND in self.request.headers

    def shows(self, versions: Versions) -> bool:
        return self._etag == versions.etag

    @property
    def grid_text(self) -> str:
        return self._shown[0]

    def changed_columns(self, versions: Versions) -> list[int] | None:
        """Return the doctors whose columns the browser has to replace; None if something else has changed, too."""
        if not self._etag.startswith(f'"{versions.rest}-'):
            return None
        columns, away = (dict(map(_number_pair, parts)) for parts in (self._shown[1:], self._away))
        if columns.keys() | away.keys() != versions.columns.keys():
            return None
        changed = [pk for pk, version in versions.columns.items() if (away | columns)[pk] != version]
        return None if away.keys() & set(changed) else changed

    @property
    def _etag(self) -> str:
        return self.request.headers.get("If-None-Match", "")

    @property
    def _shown(self) -> list[str]:
        return self.request.headers.get("X-Shown-Columns", "").split(",")

    @property
    def _away(self) -> list[str]:
        return list(filter(None, self.request.headers.get("X-Away-Columns", "").split(",")))


def not_modified(versions: Versions) -> HttpResponse:
    return _with_etag(HttpResponseNotModified(), versions)


def refreshed(html: str, versions: Versions) -> HttpResponse:
    return _with_etag(HttpResponse(html), versions)


def _with_etag(response: HttpResponse, versions: Versions) -> HttpResponse:
    response["ETag"] = versions.etag
    return response


def _number_pair(text: str) -> tuple[int | None, int | None]:
    first, _colon, second = text.partition(":")
    return parse_number(first), parse_number(second)


def seconds_to_redraw(at: dt.datetime) -> int:
    """Return after how many seconds a page with today changes by itself, as free times pass: at full five minutes."""
    step = int(BEGIN_STEP.total_seconds())
    return step - int(at.timestamp()) % step
