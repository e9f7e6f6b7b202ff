"""The process's log: one JSON object per line on stdout, whoever wrote it."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; the message is a value in it and cannot forge a line or a field."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        guest = getattr(record, "guest", None)
        if guest is not None:
            fields["guest"] = guest
            fields["request_id"] = getattr(record, "request_id", None)
        else:
            fields["logger"] = record.name
        fields["message"] = record.getMessage()
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def log_json_lines(level: int = logging.INFO) -> None:
    """Send everything from ``level`` up to stdout."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler])
