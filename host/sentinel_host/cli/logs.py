"""The process's log: one JSON object per line on stdout, whoever wrote it."""

from __future__ import annotations

import json
import logging
import sys

from sentinel_host.sandbox import GuestLines, timestamp

_log = logging.getLogger("sentinel.guest")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; the message is a value in it and cannot forge a line or a field."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields: dict[str, object] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        for extra in ("guest", "request_id"):
            if hasattr(record, extra):
                fields[extra] = getattr(record, extra)
        fields["message"] = record.getMessage()
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def log_json_lines(level: int = logging.INFO) -> None:
    """Send everything from ``level`` up to stdout."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler])


def write_guest_lines(lines: GuestLines, dropped: int) -> None:
    """Write what guests logged to stdout, in one piece, from the same level up as `log_json_lines` does."""
    # As text: what several workers share is no file with bytes below it.
    sys.stdout.write(lines.json("info"))
    sys.stdout.flush()
    if dropped:
        _log.warning("%d lines of guests were dropped: the buffer was full", dropped)
