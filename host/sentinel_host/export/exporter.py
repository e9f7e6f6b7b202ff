"""The gateway's side of exporting: takes records, counts and lines, and hands them to the child
process.

Rule 1: nothing here waits in the way of a request: what the collector does not take soon enough is
        given up where it is kept, in the workers' rings, and counted.
Rule 2: one batch at a time is under way; it is bounded, and so is the time for it.
Rule 3: a child that ends is executed again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from sentinel_host.config import Config
from sentinel_host.config.files import collector_authorities
from sentinel_host.control import Numbers, Snapshot
from sentinel_host.export.messages import HEADER, Batch, Sent, Settings, frame, parse
from sentinel_host.observe import Taken

_log: Final = logging.getLogger("sentinel.export")

# Seconds between two times that records are taken: a ring of 5 MiB holds what 3,000 sampled
# requests a second leave in it.
_EVERY: Final = 0.5
# Seconds before a child is executed again that has ended.
_AGAIN_AFTER: Final = 1.0
# Seconds for what is left at the end: the gateway is gone within grace + 1 s.
_LAST: Final = 0.4
# Bytes of records in one batch.
_MOST_RECORDS: Final = 2 << 20


class Source(Protocol):
    """The whole gateway, as `sentinel_host.control.Overview` has it."""

    async def records(self, after: Mapping[int, int], *, watch: bool) -> dict[int, Taken]:
        """By worker, the records of requests from the numbers ``after`` on."""

    async def lines(self) -> list[bytes]:
        """The log's lines since the last time, as JSON."""

    async def counts(self) -> Snapshot:
        """The counts of all workers, with those of endpoints."""


class Exporter:
    """Exports what ``config`` asks for, from ``source``, while `run` does."""

    def __init__(self, config: Config, source: Source, version: str) -> None:
        self._otlp = config.otlp
        self._traces = config.tracing is not None
        self._settings = _settings(config, version)
        self._source = source
        self._after: dict[int, int] = {}
        self._began = time.time_ns()
        self._counted_at = -math.inf
        self._child: _Child | None = None
        self._fails = False
        self._counts: Numbers = {(signal, "sent"): 0 for signal in ("traces", "metrics", "logs")}
        self._counts |= {(signal, "lost"): 0 for signal in ("traces", "metrics", "logs")}
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Send what is left, if that takes no time, and end."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            if self._child is not None and not self._child.is_busy:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self._export(self._child), _LAST)
        if self._child is not None:
            self._child.close()

    def snapshot(self) -> Snapshot:
        """What was sent, and what was lost: by the collector, or because it was too slow."""
        return Snapshot(counters={"sentinel_exported": dict(self._counts)})

    async def _run(self) -> None:
        while True:
            try:
                child = self._child = await _Child.execute(self._settings)
                try:
                    while True:
                        if not await self._export(child):
                            await asyncio.sleep(_EVERY)
                except BaseException as error:
                    # At the end, the child is still to send what is left.
                    if not isinstance(error, asyncio.CancelledError):
                        child.close()
                    raise
            except EOFError:
                _log.error("the process that exports has ended; another one is executed")
            except OSError as error:
                _log.error("the process that exports: %s", error)
            except Exception:
                _log.exception("nothing could be exported")
            await asyncio.sleep(_AGAIN_AFTER)

    async def _export(self, child: _Child) -> bool:
        """Hand one batch over and wait for its answer; returns whether more waits already."""
        records, is_more = await self._take_records() if self._traces else ([], False)
        snapshot = None
        if self._otlp.metrics and time.monotonic() - self._counted_at >= self._otlp.interval:
            self._counted_at = time.monotonic()
            snapshot = await self._source.counts()
        lines = await self._source.lines() if self._otlp.logs else []
        if not records and snapshot is None and not lines:
            return False
        self._note(await child.send(Batch(records, snapshot, lines, self._began, time.time_ns())))
        return is_more

    async def _take_records(self) -> tuple[list[msgspec.Raw], bool]:
        records: list[msgspec.Raw] = []
        size = 0
        is_more = False
        for worker, taken in (await self._source.records(self._after, watch=False)).items():
            # How many spans they had, nobody knows any more: at least one each.
            self._counts["traces", "lost"] += taken.missed
            for index, record in enumerate(taken.records):
                if size > _MOST_RECORDS:
                    self._after[worker] = taken.next - len(taken.records) + index
                    is_more = True
                    break
                size += len(memoryview(record))
                records.append(record)
            else:
                self._after[worker] = taken.next
        return records, is_more

    def _note(self, sent: Sent) -> None:
        for signal, count in sent.taken.items():
            self._counts[signal, "sent"] += count
        for signal, count in sent.lost.items():
            self._counts[signal, "lost"] += count
        if bool(sent.error) != self._fails:
            self._fails = bool(sent.error)
            if sent.error:
                _log.warning("the collector does not take everything: %s", sent.error)
            else:
                _log.info("the collector takes everything again")


class _Child:
    """The process that sends, and the socket to it."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.is_busy = False

    @classmethod
    async def execute(cls, settings: Settings) -> _Child:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = _execute(theirs.fileno())
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        writer.write(frame(settings))
        return cls(process, reader, writer)

    async def send(self, batch: Batch) -> Sent:
        """Raises `EOFError` or `OSError` when the process is gone."""
        self.is_busy = True
        self._writer.write(frame(batch))
        await self._writer.drain()
        size = int.from_bytes(await self._reader.readexactly(HEADER), "big")
        sent = parse(await self._reader.readexactly(size), Sent)
        self.is_busy = False
        return sent

    def close(self) -> None:
        """End it; what it has under way is lost."""
        self._writer.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _execute(descriptor: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "sentinel_host.export", str(descriptor)],
        pass_fds=(descriptor,),
        stdin=subprocess.DEVNULL,
        # Import from the same places as this process, and from nowhere else.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        # A terminal's Ctrl-C is for the gateway, which has something left to send.
        process_group=0,
    )


def _settings(config: Config, version: str) -> Settings:
    otlp = config.otlp
    assert otlp.endpoint is not None
    host = socket.gethostname()
    return Settings(
        otlp.endpoint,
        otlp.headers,
        float(otlp.timeout),
        config.content(otlp.ca) if otlp.ca is not None and collector_authorities(config) else b"",
        {
            "service.name": otlp.service,
            "service.version": version,
            "service.instance.id": f"{host}:{os.getpid()}",
            "host.name": host,
            "process.pid": str(os.getpid()),
        },
    )
