"""Writing the access log, so that no request waits for a reader."""

from __future__ import annotations

import socket
import threading
from collections import deque
from typing import Final, Protocol

from sentinel_host.config import Config
from sentinel_host.control import Snapshot
from sentinel_host.errors import ConfigError, SentinelError
from sentinel_host.observe.access_format import layout_of
from sentinel_host.observe.access_log import AccessLog
from sentinel_host.supervisor.files import FileOutput
from sentinel_host.supervisor.log import Log

_STDOUT: Final = "stdout"
_UNIX: Final = "unix:"
# Bytes that wait for a socket's thread, which never waits for a reader: it falls behind only when it
# gets no processor.
_MOST_WAITING: Final = 8 << 20
# Seconds that the process's end waits for lines.
_FLUSH_TIME: Final = 0.25


class Target(Protocol):
    """Where lines go; nobody waits for them there."""

    @property
    def dropped(self) -> int:
        """How many were lost."""

    def write(self, lines: bytes) -> None:
        """Have these whole lines written, or dropped."""

    def reopen(self) -> None:
        """Open the file anew that they go to, if they do."""

    def close(self) -> None:
        """Write what waits, within a fraction of a second."""


class AccessWriter:
    """A worker's access log, ``log``, and where its lines go."""

    def __init__(self, log: AccessLog, target: Target) -> None:
        self.log = log
        self._target = target

    def counts(self) -> Snapshot:
        """Lines that were lost."""
        return Snapshot(counters={"sentinel_access_log_lines_dropped": {(): self._target.dropped}})

    def reopen(self) -> None:
        """See `Target`."""
        self._target.reopen()

    def close(self) -> None:
        """Write what waits, within a fraction of a second."""
        self.log.flush()
        self._target.close()


class _Stdout:
    """The log's own output, so that lines of both stay whole. Part of `Target`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.dropped = 0

    def write(self, lines: bytes) -> None:
        # What it drops it counts among the lines of the log.
        self._log.write(lines)

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Datagrams:
    """A Unix socket that takes a datagram for each line, as syslog daemons have. Part of
    `Target`.
    """

    def __init__(self, path: str) -> None:
        self.dropped = 0
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._changed = threading.Condition()
        self._batches: deque[bytes] = deque()
        self._waiting = 0
        self._is_closing = False
        # A call of the kernel for each line is not the event loop's work. A daemon: the process's
        # end must not wait for it.
        self._thread = threading.Thread(target=self._run, name="sentinel-access", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self._socket.close()
            raise SentinelError(f"the access log: {error}") from None

    def write(self, lines: bytes) -> None:
        with self._changed:
            if self._is_closing or self._waiting + len(lines) > _MOST_WAITING:
                self.dropped += lines.count(b"\n")
                return
            self._batches.append(lines)
            self._waiting += len(lines)
            self._changed.notify()

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(_FLUSH_TIME)
        self._socket.close()

    def _run(self) -> None:
        while (lines := self._take()) is not None:
            lost = sum(not self._send(line) for line in lines.splitlines())
            with self._changed:
                self.dropped += lost

    def _take(self) -> bytes | None:
        """The next batch; ``None`` at the end."""
        with self._changed:
            while not self._batches:
                if self._is_closing:
                    return None
                self._changed.wait()
            lines = self._batches.popleft()
            self._waiting -= len(lines)
            return lines

    def _send(self, line: bytes) -> bool:
        try:
            self._socket.sendto(line, self._path)
        except OSError:
            # Nobody is there, or does not read fast enough.
            return False
        return True


def open_access_log(config: Config, log: Log) -> AccessWriter | None:
    """The access log that a configuration asks for. Raises `ConfigError` that names file and
    key.
    """
    settings = config.access_log
    if settings is None:
        return None
    target = _target(config, settings.to, log)
    return AccessWriter(AccessLog(layout_of(settings.format, settings.fields), target.write), target)


def _target(config: Config, to: str, log: Log) -> Target:
    if to == _STDOUT:
        return _Stdout(log)
    if to.startswith(_UNIX):
        return _Datagrams(config.locate(to.removeprefix(_UNIX)))
    path = config.locate(to)
    try:
        return FileOutput(path, _tell_nothing)
    except OSError as error:
        raise ConfigError(f"{config.file}: access_log.to: {path}: {error.strerror or error}") from None


def _tell_nothing(lines: int, reason: str) -> bytes:
    """What is dropped is in the metrics: a line about it would be none of this format."""
    return b""
