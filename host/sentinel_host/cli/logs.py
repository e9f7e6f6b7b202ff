"""The process's log: JSON, or lines for people, on stdout or in a file, whoever wrote them."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from sentinel_host.config import Config, LogConfig
from sentinel_host.errors import ConfigError
from sentinel_host.sandbox import TRACE, GuestLines, timestamp
from sentinel_host.supervisor.files import FileOutput
from sentinel_host.supervisor.output import Output

_STDOUT: Final = 1
_LEVELS: Final = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
# ECMA-48 section 8.3.117, by the level's name as it is written.
_COLOURS: Final = {"error": "31", "critical": "31", "warning": "33", "warn": "33", "info": "32"}
_FAINT: Final = "2"
# Bytes of lines that wait for the process that sends them.
_MOST_KEPT: Final = 1 << 20
_WIDEST_LEVEL: Final = 7


class Target(Protocol):
    """Where lines go, as `Output` is."""

    @property
    def dropped(self) -> int:
        """How many lines could not be written."""

    def write(self, data: bytes) -> None:
        """Have these lines written, or dropped."""

    def drop(self, lines: int, reason: str) -> None:
        """Count lines that were lost before they came here."""

    def close(self) -> None:
        """Write what waits, unless nobody reads."""


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


class TextLines(logging.Formatter):
    """Formats a record as a line for people; only a stack trace has more."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        name = record.name.removeprefix("sentinel.")
        line = self.line(record.created, record.levelname.lower(), name, record.getMessage())
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def line(self, seconds: float, level: str, source: str, message: str, request_id: str | None = None) -> str:
        """A line of whoever ``source`` is; ``seconds`` are since 1970."""
        clock = time.strftime("%H:%M:%S", time.localtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}"
        shown = self._paint(level.upper().ljust(_WIDEST_LEVEL), _COLOURS.get(level, _FAINT))
        request = f" {self._paint(request_id, _FAINT)}" if request_id else ""
        return f"{self._paint(clock, _FAINT)} {shown} {source}: {message}{request}"

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


class _Lines(logging.Handler):
    """Hands records to a target, as lines."""

    def __init__(self, target: Target, formatter: logging.Formatter, ring: LineRing | None) -> None:
        super().__init__()
        self._target = target
        self._ring = ring
        self._json = JsonLines()
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Part of `logging.Handler`."""
        try:
            line = self.format(record)
            if self._ring is not None:
                self._ring.add([self._json.format(record).encode("ascii")])
        except Exception:
            self.handleError(record)
        else:
            self._target.write(line.encode("utf-8", "replace") + b"\n")


class LineRing:
    """The last lines as JSON, until somebody takes them, in a bounded memory; it may be filled from
    any thread.
    """

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def add(self, lines: list[bytes]) -> None:
        """Keep these, and let go of the oldest where there is no room."""
        with self._lock:
            self._lines.extend(lines)
            self._size += sum(map(len, lines))
            while self._size > _MOST_KEPT:
                self._size -= len(self._lines.popleft())

    def take(self) -> list[bytes]:
        """All that are there."""
        with self._lock:
            taken, self._size = list(self._lines), 0
            self._lines.clear()
            return taken


class ProcessLog:
    """The log of this process, which goes to ``target``.

    Guests' lines are written by ``text``, or as JSON without it; those below a guest's level never
    come here. ``reopen`` opens the target's file anew, if it is one.
    """

    def __init__(
        self,
        target: Target,
        text: TextLines | None = None,
        reopen: Callable[[], None] | None = None,
        ring: LineRing | None = None,
    ) -> None:
        self._target = target
        self._text = text
        self._reopen = reopen
        self._ring = ring

    @property
    def dropped(self) -> int:
        """How many lines could not be written."""
        return self._target.dropped

    def write_guest_lines(self, lines: GuestLines, dropped: int) -> None:
        """Write what guests logged, in one piece; so many more lines were ``dropped`` already."""
        if self._ring is not None:
            self._ring.add(lines.json("trace").splitlines())
        if self._text is None:
            data = lines.json("trace")
        else:
            now = time.time()
            told = [self._text.line(now, each.level, each.guest, each.message, each.request_id) for each in lines]
            data = "".join(f"{line}\n" for line in told).encode("utf-8", "replace")
        if data:
            self._target.write(data)
        if dropped:
            self._target.drop(dropped, "the buffer of guests' lines was full")

    def write(self, data: bytes) -> None:
        """Write whole lines of somebody else's, in one piece."""
        self._target.write(data)

    def take_lines(self) -> list[bytes]:
        """The lines since the last time as JSON, where the configuration has them exported."""
        return self._ring.take() if self._ring is not None else []

    def reopen(self) -> None:
        """Open the file anew that it goes to, if it does."""
        if self._reopen is not None:
            self._reopen()

    def close(self) -> None:
        """Write what waits, unless nobody reads."""
        self._target.close()


def begin_log(lock: int, config: Config | None = None) -> ProcessLog:
    """Send everything where a configuration says, by default to stdout, which other processes share
    that have ``lock``.

    Raises `ConfigError` for a file that cannot be opened, and `SentinelError` when there is no
    thread.
    """
    settings = config.log if config is not None else LogConfig()
    path = config.locate(settings.file) if config is not None and settings.file is not None else None
    as_text = settings.format == "text" or (settings.format == "auto" and path is None and os.isatty(_STDOUT))
    text = TextLines(colour=path is None and _shows_colour()) if as_text else None

    def tell(lines: int, reason: str) -> bytes:
        return _lines_dropped(lines, reason, text)

    exports = config is not None and config.otlp.logs and config.otlp.endpoint is not None
    ring = LineRing() if exports else None
    log: ProcessLog
    target: Target
    if path is None:
        target = Output(_STDOUT, lock, tell)
        log = ProcessLog(target, text, ring=ring)
    else:
        try:
            target = file = FileOutput(path, tell)
        except OSError as error:
            where = config.file if config is not None else ""
            raise ConfigError(f"{where}: log.file: {path}: {error.strerror or error}") from None
        log = ProcessLog(target, text, file.reopen, ring)
    logging.basicConfig(level=_LEVELS[settings.level], handlers=[_Lines(target, text or JsonLines(), ring)])
    return log


def _shows_colour() -> bool:
    # https://no-color.org
    return os.isatty(_STDOUT) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _lines_dropped(lines: int, reason: str, text: TextLines | None) -> bytes:
    """The line that stands for those."""
    message = f"{lines} lines of the log were dropped: {reason}"
    now = time.time()
    if text is not None:
        return text.line(now, "warning", "log", message).encode() + b"\n"
    fields = {"time": timestamp(now), "level": "warning", "logger": "sentinel.log", "message": message}
    return json.dumps(fields).encode("ascii") + b"\n"
