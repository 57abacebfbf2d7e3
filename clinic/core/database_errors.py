"""The number of a database error says what went wrong. Its text may quote data, so it is never logged or shown."""

from collections.abc import Iterator

from django.db import Error


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, the outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def database_code(error: BaseException) -> int | str | None:
    """Return the number from MariaDB or MySQL, or SQLite's name such as `SQLITE_BUSY`; None for any other exception."""
    if not isinstance(error, Error):
        return None
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else getattr(error.__cause__, "sqlite_errorname", None)


def database_reason(error: BaseException | None) -> str | None:
    """Return the outermost database error among an exception and its causes as `database 1205`; None without one."""
    for each in with_causes(error):
        if isinstance(each, Error):
            code = database_code(each)
            return "database" if code is None else f"database {code}"
    return None
