"""Writing the access log: a thread makes lines of entries, so that no request waits for that, or
for a reader.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from sentinel_host.config import Config
from sentinel_host.control import Snapshot
from sentinel_host.errors import ConfigError, SentinelError
from sentinel_host.observe.access_format import Formatter, formatter
from sentinel_host.observe.access_log import AccessLog, Entry
from sentinel_host.supervisor.files import FileOutput
from sentinel_host.supervisor.log import Log

_STDOUT: Final = "stdout"
_UNIX: Final = "unix:"
# Entries that wait for the thread: some 10 MB. It falls behind only when it gets no processor.
_MOST_WAITING: Final = 16_384
# Seconds that the process's end waits for lines.
_FLUSH_TIME: Final = 0.25


class Lines(Protocol):
    """Where lines go; nobody waits for them there."""

    @property
    def dropped(self) -> int:
        """How many were lost."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Have these pieces of whole lines written, or dropped."""

    def reopen(self) -> None:
        """Open the file anew that they go to, if they do."""

    def close(self) -> None:
        """Write what waits, within a fraction of a second."""


class AccessWriter:
    """Takes batches from a worker's `AccessLog`, ``log``, and writes them."""

    def __init__(self, format_lines: Formatter, target: Lines, *, with_fields: bool) -> None:
        self.log = AccessLog(self._submit, with_fields=with_fields)
        self._format = format_lines
        self._target = target
        self._changed = threading.Condition()
        self._batches: deque[list[Entry]] = deque()
        self._waiting = 0
        self._dropped = 0
        self._is_closing = False
        # A daemon: the process's end must not wait for it.
        self._thread = threading.Thread(target=self._run, name="sentinel-access", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise SentinelError(f"the access log: {error}") from None

    def counts(self) -> Snapshot:
        """Lines that were lost."""
        return Snapshot(counters={"sentinel_access_log_lines_dropped": {(): self._dropped + self._target.dropped}})

    def reopen(self) -> None:
        """See `Lines`."""
        self._target.reopen()

    def close(self) -> None:
        """Write what waits, within a fraction of a second."""
        self.log.flush()
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(_FLUSH_TIME)
        self._target.close()

    def _submit(self, entries: list[Entry]) -> None:
        with self._changed:
            if self._is_closing or self._waiting + len(entries) > _MOST_WAITING:
                self._dropped += len(entries)
                return
            self._batches.append(entries)
            self._waiting += len(entries)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._batches:
                    if self._is_closing:
                        return
                    self._changed.wait()
                entries = self._batches.popleft()
                self._waiting -= len(entries)
            self._target.write(self._format(entries))


class _Stdout:
    """The log's own output, so that lines of both stay whole. Part of `Lines`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.dropped = 0

    def write(self, lines: Sequence[bytes]) -> None:
        # What it drops it counts among the lines of the log.
        self._log.write(b"".join(lines))

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


class _File:
    """A file, which several workers append to. Part of `Lines`."""

    def __init__(self, output: FileOutput) -> None:
        self._output = output

    @property
    def dropped(self) -> int:
        return self._output.dropped

    def write(self, lines: Sequence[bytes]) -> None:
        self._output.write(b"".join(lines))

    def reopen(self) -> None:
        self._output.reopen()

    def close(self) -> None:
        self._output.close()


class _Datagrams:
    """A Unix socket that takes a datagram for each line, as syslog daemons have. Part of
    `Lines`.
    """

    def __init__(self, path: str) -> None:
        self.dropped = 0
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def write(self, lines: Sequence[bytes]) -> None:
        for line in b"".join(lines).splitlines():
            try:
                self._socket.sendto(line, self._path)
            except OSError:
                # Nobody is there, or does not read fast enough.
                self.dropped += 1

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        self._socket.close()


def open_access_log(config: Config, log: Log) -> AccessWriter | None:
    """The access log that a configuration asks for. Raises `ConfigError` that names file and
    key.
    """
    settings = config.access_log
    if settings is None:
        return None
    format_lines, with_fields = formatter(settings.format, settings.fields)
    return AccessWriter(format_lines, _target(config, settings.to, log), with_fields=with_fields)


def _target(config: Config, to: str, log: Log) -> Lines:
    if to == _STDOUT:
        return _Stdout(log)
    if to.startswith(_UNIX):
        return _Datagrams(config.locate(to.removeprefix(_UNIX)))
    path = config.locate(to)
    try:
        return _File(FileOutput(path, _tell_nothing))
    except OSError as error:
        raise ConfigError(f"{config.file}: access_log.to: {path}: {error.strerror or error}") from None


def _tell_nothing(lines: int, reason: str) -> bytes:
    """What is dropped is in the metrics: a line about it would be none of this format."""
    return b""
