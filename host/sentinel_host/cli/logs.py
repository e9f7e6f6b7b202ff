"""The process's log: one JSON object per line on stdout, from the gateway and from guests."""

from __future__ import annotations

import json
import logging
import time
from typing import Final

from sentinel_host.sandbox import GuestLines, timestamp
from sentinel_host.supervisor.output import Output

_STDOUT: Final = 1


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; the message is a value in it and cannot forge a line or
    a field.
    """

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


class _Lines(logging.Handler):
    """Hands records to an output, as lines."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        """Part of `logging.Handler`."""
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self._output.write(line.encode("ascii") + b"\n")


class ProcessLog:
    """The log of this process, which goes to ``output`` from the level ``info`` up."""

    def __init__(self, output: Output) -> None:
        self._output = output

    @property
    def dropped(self) -> int:
        """How many lines could not be written."""
        return self._output.dropped

    def write_guest_lines(self, lines: GuestLines, dropped: int) -> None:
        """Write what guests logged, in one piece; so many more lines were ``dropped`` already."""
        if data := lines.json("info"):
            self._output.write(data.encode())
        if dropped:
            self._output.drop(dropped, "the buffer of guests' lines was full")

    def close(self) -> None:
        """Write what waits, unless stdout stalls."""
        self._output.close()


def begin_log(lock: int) -> ProcessLog:
    """Send everything to stdout, which other processes with the same ``lock`` share.

    Raises `SentinelError` when there is no thread for it.
    """
    output = Output(_STDOUT, lock, _lines_dropped)
    logging.basicConfig(level=logging.INFO, handlers=[_Lines(output)])
    return ProcessLog(output)


def _lines_dropped(lines: int, reason: str) -> bytes:
    """The line that reports them."""
    fields = {
        "time": timestamp(time.time()),
        "level": "warning",
        "logger": "sentinel.log",
        "message": f"{lines} lines of the log were dropped: {reason}",
    }
    return json.dumps(fields).encode("ascii") + b"\n"
