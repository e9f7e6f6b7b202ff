"""Compiling in processes that can be thrown away.

Rule 1: a child compiles one file and ends, so that no file has met another's compiler.
Rule 2: one child is kept ready, because starting Python and loading the engine takes longer than compiling most guests.
        The next is started after a compilation and not beside it.
Rule 3: whatever the child does, or has done to it, the answer is a guest or a `GuestLoadError` that names the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import Final

import msgspec

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.child import Done, Job
from sentinel_host.sandbox import CompiledGuest
from sentinel_host.sandbox.text import one_line

# Of a machine that has other things to do.
_WALL_SECONDS: Final = 120.0
# How many may compile at once: a folder full of new files must not take every processor.
_AT_ONCE: Final = 2
# Seconds before a child is replaced: whoever saves once may well save again, and requests come first.
_SPARE_AFTER: Final = 0.05

_decoder = msgspec.msgpack.Decoder(Done)


class Compiler:
    """To be used from one event loop; `close` ends its children, and compilations that go on fail.

    A compilation may take ``cpu_seconds`` of running time, of all the compiler's threads together.
    """

    def __init__(self, cpu_seconds: int, wall_seconds: float = _WALL_SECONDS) -> None:
        self._cpu_seconds = cpu_seconds
        self._wall_seconds = wall_seconds
        self._spare: subprocess.Popen[bytes] | None = None
        self._busy: set[subprocess.Popen[bytes]] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._timer: asyncio.TimerHandle | None = None
        self._keeps_spare = False
        self._is_closed = False

    def keep_ready(self, *, now: bool = True) -> None:
        """Have a child ready from now on, or from the first compilation on."""
        self._keeps_spare = True
        if now:
            self._prepare()

    def _prepare(self) -> None:
        if self._timer is None and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(_SPARE_AFTER, self._start_spare)

    async def compile(self, data: bytes, path: str) -> CompiledGuest:
        """Compile a file's bytes; ``path`` names them in errors.

        Raises `GuestLoadError`.
        """
        async with self._slots:
            if self._is_closed:
                raise GuestLoadError(f"{path}: was not compiled: the gateway ends")
            try:
                child = self._take_spare() or _execute()
            except OSError as error:
                raise GuestLoadError(f"{path}: was not compiled: no process: {error.strerror}") from None
            self._busy.add(child)
            try:
                return await asyncio.to_thread(self._run, child, data, path)
            finally:
                self._busy.discard(child)
                if self._keeps_spare:
                    self._prepare()

    def close(self) -> None:
        """End everything; nothing may be compiled any more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for child in self._busy:
            child.kill()
        if self._spare is not None:
            self._spare.kill()
            self._spare.communicate()
            self._spare = None

    def _start_spare(self) -> None:
        self._timer = None
        if self._spare is None:
            with contextlib.suppress(OSError):
                self._spare = _execute()

    def _take_spare(self) -> subprocess.Popen[bytes] | None:
        spare, self._spare = self._spare, None
        if spare is not None and spare.poll() is not None:
            spare.communicate()
            return None
        return spare

    def _run(self, child: subprocess.Popen[bytes], data: bytes, path: str) -> CompiledGuest:
        """In a thread, which waits and does nothing else."""
        job = msgspec.msgpack.encode(Job(path, self._cpu_seconds, data))
        try:
            output, words = child.communicate(job, self._wall_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            raise GuestLoadError(f"{path}: was not compiled within {self._wall_seconds:g} s") from None
        if child.returncode != 0:
            raise GuestLoadError(f"{path}: compiling it failed: {self._ending(child.returncode, words)}")
        try:
            done = _decoder.decode(output)
        except msgspec.MsgspecError as error:
            raise GuestLoadError(f"{path}: compiling it failed: the process answered nonsense: {error}") from None
        if done.guest is None:
            raise GuestLoadError(done.reason)
        return done.guest

    def _ending(self, code: int, words: bytes) -> str:
        if code == -signal.SIGXCPU:
            return f"it took more than {self._cpu_seconds} s of running time"
        said = one_line(" ".join(words.decode(errors="replace").split("\n")[:3]).strip())
        how = f"the process was killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"{how}{f' ({said})' if said else ''}"


def _execute() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "sentinel_host.hotload.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # The modules that this process runs, from wherever it was told to take them, and nothing else.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "RUST_BACKTRACE": "0"},
        # A terminal's Ctrl-C is for the gateway.
        process_group=0,
    )
