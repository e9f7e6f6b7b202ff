"""One worker process, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from sentinel_host.control import (
    Accept,
    Applied,
    Channel,
    Code,
    CodeRequest,
    ConfigSource,
    Drain,
    Draining,
    Failed,
    Learned,
    Lines,
    LinesRequest,
    Load,
    LoadFailed,
    Message,
    Prepared,
    ProbationDegraded,
    ProbationFailed,
    Ready,
    Reconfigure,
    Records,
    RecordsRequest,
    Refused,
    Reopen,
    Reply,
    Snapshot,
    Start,
    Stats,
    StatsRequest,
)
from sentinel_host.hotload.executor import ProbationObserver
from sentinel_host.hotload.state import GuestState
from sentinel_host.net import Remembered
from sentinel_host.observe import Taken
from sentinel_host.supervisor.execution import execute_worker, wait_for_end
from sentinel_host.supervisor.offered import PIECE

# Seconds for an answer that may be large, of a worker that may be busy.
_RECORDS_TIME: Final = 2.0

Execute = Callable[[int, Iterable[int]], subprocess.Popen[bytes]]


class State(enum.Enum):
    """A worker's states, in order; it may be gone at any time. A waiting worker serves nothing
    yet, a prepared one does not accept, and an accepting one has been told to.
    """

    WAITING = "waiting"
    STARTING = "starting"
    PREPARED = "prepared"
    ACCEPTING = "accepting"
    READY = "ready"
    DRAINING = "draining"
    GONE = "gone"


class WorkerObserver(ProbationObserver, Protocol):
    """Is told what workers report unasked."""

    def learned(self, names: Remembered) -> None:
        """The name service has answered something new."""


class WorkerProcess:
    """A worker from its execution to its end.

    ``prepared_or_gone`` is done once it waits for `accept`, and ``ready_or_gone`` once it is ready,
    or when it has ended before that; ``draining_or_gone`` is done once it accepts no more. ``ended``
    is done once the process has ended, and ``gone`` once its last messages are read too. ``serves``
    is the configuration and the guests' digests that it was told, and ``cell`` its own. ``failure``
    is its own reason why it could not start. ``faults`` has the guests that are not in service,
    ``guests`` all of them, and ``snapshot`` its latest counts.
    """

    def __init__(self, process: subprocess.Popen[bytes], observer: WorkerObserver) -> None:
        loop = asyncio.get_running_loop()
        self.state = State.WAITING
        self.faults: dict[str, str] = {}
        self.guests: list[GuestState] = []
        self.serves: tuple[ConfigSource | None, dict[str, str]] = (None, {})
        self.cell = 0
        self.failure: str | None = None
        self.snapshot = Snapshot()
        self.prepared_or_gone: asyncio.Future[None] = loop.create_future()
        self.ready_or_gone: asyncio.Future[None] = loop.create_future()
        self.draining_or_gone: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self._codes: dict[str, bytes] = {}
        self._counted_last = False
        self._process = process
        self._observer = observer
        self._ready_at: float | None = None
        self._channel: Channel
        self._watch: asyncio.Task[None]

    @classmethod
    async def spawn(
        cls, fds: Iterable[int], observer: WorkerObserver, execute: Execute = execute_worker
    ) -> WorkerProcess:
        """Execute a worker that inherits ``fds`` and waits to be told what to serve (`begin`).

        ``observer`` hears what it reports unasked.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                worker = cls(execute(theirs.fileno(), fds), observer)
        except BaseException:
            ours.close()
            raise
        try:
            # Opened first, while starting can still fail: without it the worker's end would go
            # unnoticed.
            pidfd = os.pidfd_open(worker.pid)
            try:
                worker._channel = await Channel.connect(ours, worker._receive)
            except BaseException:
                os.close(pidfd)
                raise
        except BaseException:
            ours.close()
            worker._process.kill()
            worker._process.wait()
            raise
        worker._watch = asyncio.create_task(worker._until_gone(pidfd))
        return worker

    @property
    def pid(self) -> int:
        """The process's."""
        return self._process.pid

    @property
    def served(self) -> float | None:
        """For how many seconds it has been ready, None if it never was."""
        return None if self._ready_at is None else asyncio.get_running_loop().time() - self._ready_at

    @property
    def ending(self) -> str:
        """How the process ended, for people."""
        code = self._process.returncode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it, and not itself."""
        return (self._process.returncode or 0) < 0

    def begin(self, start: Start, codes: dict[str, bytes]) -> None:
        """Have it serve ``start``, whose descriptors it inherited. ``codes`` has the guests' code,
        by digest.
        """
        self.state = State.STARTING
        self.cell = start.cell
        self.serves = (start.source, start.guests.digests())
        self._codes = codes
        self._channel.send(start)

    @property
    def takes_changes(self) -> bool:
        """Whether it serves, or has been told to: what changes now is to be applied to it."""
        return self.state in (State.ACCEPTING, State.READY)

    def accept(self) -> None:
        """Have a worker that is prepared accept connections."""
        self.state = State.ACCEPTING
        self._channel.send(Accept())

    async def apply(self, message: Load | Reconfigure, codes: dict[str, bytes], within: float) -> Applied:
        """Have it serve something else; returns its answer. ``codes`` as in `begin`, for new
        guests.

        Raises `ControlError` when there is no answer.
        """
        self._codes |= codes
        try:
            answer = await self._channel.ask(message, within)
        finally:
            for sha256 in codes:
                self._codes.pop(sha256, None)
        assert isinstance(answer, Applied)
        self.faults, self.guests = answer.faults, answer.guests
        if not answer.reason:
            self._note(message)
        return answer

    def _note(self, message: Load | Reconfigure) -> None:
        if isinstance(message, Load):
            deployment = message.deployment
            self.serves = (self.serves[0], self.serves[1] | {deployment.serving.name: deployment.digest})
        else:
            self.serves = (message.source, message.guests.digests())

    def tell_load_failed(self, name: str, reason: str) -> None:
        """A guest has no new version, for this reason."""
        if self.takes_changes:
            self._channel.send(LoadFailed(name, reason))

    def reopen_logs(self) -> None:
        """The files of its logs were moved away."""
        if self.state in (State.READY, State.DRAINING):
            self._channel.send(Reopen())

    def drain(self) -> None:
        """Accept nothing more, and end with the last request, or the grace period; one that serves
        nothing ends now.
        """
        if self.takes_changes:
            self.state = State.DRAINING
            self._channel.send(Drain())
        elif self.state in (State.WAITING, State.STARTING, State.PREPARED):
            self.kill()

    def kill(self) -> None:
        """End at once, whatever is in flight."""
        if self._process.returncode is None:
            self._process.kill()

    def kill_if_starting(self) -> None:
        """End it if it still is not ready."""
        if self.state in (State.STARTING, State.PREPARED, State.ACCEPTING):
            self.failure = "it was not ready in time"
            self.kill()

    async def refresh(self, within: float) -> None:
        """Ask for ``snapshot`` and ``faults``.

        Raises `ControlError` when there is no answer; they stay what they were.
        """
        answer = await self._channel.ask(StatsRequest(), within)
        # Its last counts may have been read while this task was waiting to go on with an earlier
        # answer.
        if not self._counted_last:
            self._learn(answer)

    async def records(self, after: int, *, watch: bool, explain: str = "") -> Taken:
        """The records of requests from this number on; see `RecordsRequest`.

        Raises `ControlError` when there is no answer.
        """
        answer = await self._channel.ask(RecordsRequest(after, watch, explain), _RECORDS_TIME)
        assert isinstance(answer, Records)
        return answer.taken

    async def lines(self) -> list[bytes]:
        """The log's lines since the last time. Raises `ControlError` when there is no answer."""
        answer = await self._channel.ask(LinesRequest(), _RECORDS_TIME)
        assert isinstance(answer, Lines)
        return answer.lines

    def _receive(self, message: Message, reply: Reply) -> None:
        match message:
            case Prepared():
                if self.state is State.STARTING:
                    self.state = State.PREPARED
                    self._codes = {}
                    self.prepared_or_gone.set_result(None)
            case Ready(faults, guests):
                self.faults, self.guests = faults, guests
                if self.state is State.ACCEPTING:
                    self.state = State.READY
                    self._ready_at = asyncio.get_running_loop().time()
                    self.ready_or_gone.set_result(None)
            case Draining():
                if not self.draining_or_gone.done():
                    self.draining_or_gone.set_result(None)
            case Learned(names):
                self._observer.learned(names)
            case Failed(reason):
                self.failure = reason
            case Stats():
                # Unasked: its last counts.
                self._learn(message)
                self._counted_last = True
            case ProbationDegraded(name, sha256):
                self._observer.degraded(name, sha256)
            case ProbationFailed(name, sha256, reason):
                self._observer.failed(name, sha256, reason)
            case CodeRequest(sha256, offset):
                reply(Code(self._codes.get(sha256, b"")[offset : offset + PIECE]))
            case _:
                reply(Refused(f"a worker has no use for {type(message).__name__} from its supervisor"))

    def _learn(self, message: Message) -> None:
        if isinstance(message, Stats):
            self.snapshot, self.faults, self.guests = message.snapshot, message.faults, message.guests

    async def _until_gone(self, pidfd: int) -> None:
        await wait_for_end(self._process, pidfd)
        self.ended.set_result(None)
        # What it said last is read before its end counts; a process that it left behind must not
        # hold that up.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._channel.closed), 1.0)
        await self._channel.close()
        self.state = State.GONE
        for reached in (self.prepared_or_gone, self.ready_or_gone, self.draining_or_gone):
            if not reached.done():
                reached.set_result(None)
        self.gone.set_result(None)
