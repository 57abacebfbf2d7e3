from typing import NoReturn

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MAX_COLUMNS = 50
MAX_CELL = 1000  # characters; longer cells are cut, as no field accepts more


def refuse(code: str, message: str) -> NoReturn:
    raise ValidationError(message, code=code)


def refuse_format() -> NoReturn:
    refuse("not_a_sheet", _("This is neither a CSV nor an XLSX file."))


def refuse_empty() -> NoReturn:
    refuse("no_rows", _("The file is empty."))


def refuse_unpacked_size() -> NoReturn:
    refuse("too_big", _("The file is too large when unpacked. Copy its rows into a new file, or save it as CSV."))


def refuse_columns() -> NoReturn:
    refuse("too_many_columns", _("The sheet has cells beyond its 50th column. Delete the columns you do not need."))


def refuse_rows() -> NoReturn:
    refuse("too_many_rows", _("The file has more than 20,000 rows. Split it into smaller files."))
