"""What must not stand in the log."""

import logging
import re

_FEED = re.compile(r"(?<=/calendar/)[^/\s]+")


class HideFeedTokens(logging.Filter):
    """Takes the token out of the address of a calendar feed, which Django notes when it answers 404 or fails."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the token."""
        text = record.getMessage()
        if (hidden := _FEED.sub("…", text)) != text:
            record.msg, record.args = hidden, ()
        return True
