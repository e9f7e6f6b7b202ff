"""One worker process, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable

from sentinel_host.control import (
    Channel,
    Code,
    CodeRequest,
    ConfigSource,
    Drain,
    Failed,
    Faltered,
    Load,
    LoadFailed,
    Message,
    Ready,
    Reconfigure,
    Refused,
    Reply,
    Snapshot,
    Start,
    Stats,
    StatsRequest,
    Taken,
    Tripped,
)
from sentinel_host.hotload.release import Releases
from sentinel_host.hotload.state import GuestState
from sentinel_host.supervisor.supply import PIECE


class State(enum.Enum):
    """A worker's life: down this list, and from anywhere to the last. One that is waiting serves nothing yet."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    GONE = "gone"


class WorkerProcess:
    """A worker from its execution to its end.

    ``settled`` is done once it is ready, or has ended without having been; ``gone`` once the process has ended and its
    last words are read. ``serves`` is the configuration and the guests' digests that it was told. ``failure`` is why it
    could not start, in its own words; ``faults`` is guests that are not in service, and ``guests`` all of them;
    ``snapshot`` is what it counted when it last said.
    """

    def __init__(self, process: subprocess.Popen[bytes], releases: Releases) -> None:
        loop = asyncio.get_running_loop()
        self.state = State.WAITING
        self.faults: dict[str, str] = {}
        self.guests: list[GuestState] = []
        self.serves: tuple[ConfigSource | None, dict[str, str]] = (None, {})
        self.failure: str | None = None
        self.snapshot = Snapshot()
        self.settled: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self._codes: dict[str, bytes] = {}
        self._counted_last = False
        self._process = process
        self._releases = releases
        self._ready_at: float | None = None
        self._channel: Channel
        self._watch: asyncio.Task[None]

    @classmethod
    async def spawn(cls, fds: Iterable[int], releases: Releases) -> WorkerProcess:
        """Execute a worker that inherits ``fds`` and waits to be told what to serve (`begin`).

        What it tells of versions on trial goes to ``releases``.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                worker = cls(_execute(theirs.fileno(), fds), releases)
        except BaseException:
            ours.close()
            raise
        try:
            # While it can still be refused: a worker whose end nobody sees would never be replaced.
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
        """Serve; the descriptors in ``start`` are among those that it inherited. ``codes`` of guests go by digest."""
        self.state = State.STARTING
        self.serves = (start.source, start.guests.digests())
        self._codes = codes
        self._channel.send(start)

    async def take(self, message: Load | Reconfigure, codes: dict[str, bytes], within: float) -> Taken:
        """Put something else into service; returns what came of it. ``codes`` as in `begin`, for what is new.

        Raises `ControlError` when there is no answer.
        """
        self._codes |= codes
        try:
            answer = await self._channel.ask(message, within)
        finally:
            for sha256 in codes:
                self._codes.pop(sha256, None)
        assert isinstance(answer, Taken)
        self.faults, self.guests = answer.faults, answer.guests
        if not answer.reason:
            self._note(message)
        return answer

    def _note(self, message: Load | Reconfigure) -> None:
        if isinstance(message, Load):
            placement = message.placement
            self.serves = (self.serves[0], self.serves[1] | {placement.serving.name: placement.digest})
        else:
            self.serves = (message.source, message.guests.digests())

    def say_failed(self, name: str, reason: str) -> None:
        """A guest has no new version, for this reason."""
        if self.state is State.READY:
            self._channel.send(LoadFailed(name, reason))

    def drain(self) -> None:
        """Accept nothing more, and end with the last request, or the grace period; one that serves nothing ends now."""
        if self.state is State.READY:
            self.state = State.DRAINING
            self._channel.send(Drain())
        elif self.state in (State.WAITING, State.STARTING):
            self.kill()

    def kill(self) -> None:
        """End at once, whatever is in flight."""
        if self._process.returncode is None:
            self._process.kill()

    def kill_if_starting(self) -> None:
        """End it if it still is not ready."""
        if self.state is State.STARTING:
            self.failure = "it was not ready in time"
            self.kill()

    async def refresh(self, within: float) -> None:
        """Ask for ``snapshot`` and ``faults``.

        Raises `ControlError` when there is no answer; they stay what they were.
        """
        answer = await self._channel.ask(StatsRequest(), within)
        # Its last words are read at once, an answer from before them only when this goes on.
        if not self._counted_last:
            self._learn(answer)

    def _receive(self, message: Message, reply: Reply) -> None:
        match message:
            case Ready(faults, guests):
                self.faults, self.guests = faults, guests
                if self.state is State.STARTING:
                    self.state = State.READY
                    self._codes = {}
                    self._ready_at = asyncio.get_running_loop().time()
                    self.settled.set_result(None)
            case Failed(reason):
                self.failure = reason
            case Stats():
                # Nobody asked: it says how it ended.
                self._learn(message)
                self._counted_last = True
            case Faltered(name, sha256):
                self._releases.faltered(name, sha256)
            case Tripped(name, sha256, reason):
                self._releases.tripped(name, sha256, reason)
            case CodeRequest(sha256, offset):
                reply(Code(self._codes.get(sha256, b"")[offset : offset + PIECE]))
            case _:
                reply(Refused(f"a worker has no use for {type(message).__name__} from its supervisor"))

    def _learn(self, message: Message) -> None:
        if isinstance(message, Stats):
            self.snapshot, self.faults, self.guests = message.snapshot, message.faults, message.guests

    async def _until_gone(self, pidfd: int) -> None:
        await _ended(self._process, pidfd)
        # What it said last is read before its end counts; a process that it left behind must not hold that up.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._channel.closed), 1.0)
        await self._channel.close()
        self.state = State.GONE
        if not self.settled.done():
            self.settled.set_result(None)
        self.gone.set_result(None)


def _execute(control: int, fds: Iterable[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "sentinel_host", "worker", "--control", str(control)],
        pass_fds=(control, *fds),
        stdin=subprocess.DEVNULL,
        # The modules that this process runs, from wherever it was told to take them, and nothing else.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        # A terminal's Ctrl-C is for the supervisor, which lets workers finish what they do.
        process_group=0,
    )


async def _ended(process: subprocess.Popen[bytes], pidfd: int) -> None:
    """Wait without a thread, and without SIGCHLD, of which an event loop may lose one when several come.

    ``pidfd`` is closed afterwards.
    """
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def on_readable() -> None:
        loop.remove_reader(pidfd)
        readable.set_result(None)

    loop.add_reader(pidfd, on_readable)
    try:
        await readable
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    process.wait()
