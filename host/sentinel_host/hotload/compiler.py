"""Compiling in processes that can be thrown away.

Rule 1: a child compiles one file and ends, so that no file has met another's compiler.
Rule 2: children are forked from a process that has loaded the engine
        (`sentinel_host.hotload.fork_server`). It starts with the first compilation or, where files
        are watched, ahead of it. A dead one is replaced.
Rule 3: whatever the child does, or whatever happens to it, the result is a guest or a
        `GuestLoadError` that names the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Final

import msgspec

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.fork_server import ENDED, NUMBER, Done, Job
from sentinel_host.sandbox import CompiledGuest, address_space
from sentinel_host.sandbox.text import one_line

# Generous: the machine may be busy with other things.
_WALL_SECONDS: Final = 120.0
# How many may compile at once: a folder full of new files must not take every processor.
_AT_ONCE: Final = 2

_decoder = msgspec.msgpack.Decoder(Done)


class Compiler:
    """Compiles files in child processes. To be used from one event loop.

    A compilation may take ``cpu_seconds`` of running time, of all the compiler's threads together.
    """

    def __init__(self, cpu_seconds: int, wall_seconds: float = _WALL_SECONDS) -> None:
        self._cpu_seconds = cpu_seconds
        self._wall_seconds = wall_seconds
        self._fork_server: _ForkServer | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._is_closed = False

    def keep_ready(self) -> None:
        """Start the fork server now, so that the first compilation need not wait for it."""
        with contextlib.suppress(OSError):
            self._find_fork_server()

    def rest(self) -> None:
        """End the fork server. To be called while nothing compiles."""
        if self._fork_server is not None:
            self._fork_server.close()
            self._fork_server = None

    async def compile(self, data: bytes, path: str) -> CompiledGuest:
        """Compile a file's bytes; ``path`` names them in errors.

        Raises `GuestLoadError`.
        """
        async with self._slots:
            if self._is_closed:
                raise GuestLoadError(f"{path}: was not compiled: the gateway ends")
            try:
                fork_server = self._find_fork_server()
                job = fork_server.begin()
            except OSError as error:
                raise GuestLoadError(f"{path}: was not compiled: no process: {error.strerror}") from None
            try:
                return await asyncio.to_thread(self._run, job, data, path)
            except _ForkServerEnded:
                # Its sockets close before it counts as dead: do not give it the next file.
                if self._fork_server is fork_server:
                    self.rest()
                raise

    def close(self) -> None:
        """End the children; compilations under way fail. Nothing may be compiled any more."""
        self._is_closed = True
        self.rest()

    def _find_fork_server(self) -> _ForkServer:
        if self._fork_server is None or not self._fork_server.is_alive():
            self.rest()
            self._fork_server = _ForkServer()
        return self._fork_server

    def _run(self, job: socket.socket, data: bytes, path: str) -> CompiledGuest:
        """Runs in a thread, because it blocks."""
        message = msgspec.msgpack.encode(Job(path, address_space(), self._cpu_seconds, data))
        with job:
            output = _exchange(job, message, self._wall_seconds)
        if output is None:
            raise GuestLoadError(f"{path}: was not compiled within {self._wall_seconds:g} s")
        said, told, status = output[: -len(ENDED) - NUMBER], output[-len(ENDED) - NUMBER : -NUMBER], output[-NUMBER:]
        if told != ENDED:
            raise _ForkServerEnded(f"{path}: compiling it failed: the process that compiles was ended")
        code = os.waitstatus_to_exitcode(int.from_bytes(status, "big"))
        if code != 0:
            raise GuestLoadError(f"{path}: compiling it failed: {self._ending(code, said)}")
        try:
            done = _decoder.decode(said)
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


class _ForkServerEnded(GuestLoadError):
    """The fork server ended before it could tell how a child ended."""


class _ForkServer:
    """The process that compiling children are forked from."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sentinel_host.hotload.fork_server"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # The same modules as in this process, from the same places.
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "RUST_BACKTRACE": "0"},
                # A terminal's Ctrl-C must reach the gateway only, which then ends its children.
                process_group=0,
            )

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def begin(self) -> socket.socket:
        """A child's socket. Raises `OSError`."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"\0"], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
        return ours

    def close(self) -> None:
        """End it and its children."""
        self._control.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _exchange(job: socket.socket, message: bytes, seconds: float) -> bytes | None:
    """The child's whole output; ``None`` if it took too long and was killed."""
    end = time.monotonic() + seconds
    output = bytearray()
    pid = 0
    try:
        job.settimeout(seconds)
        first = job.recv(NUMBER, socket.MSG_WAITALL)
        if first == ENDED[:NUMBER]:
            # The child ended before it sent its process id.
            output += first
        else:
            pid = int.from_bytes(first, "big")
        job.sendall(message)
        job.shutdown(socket.SHUT_WR)
        while True:
            job.settimeout(max(0.001, end - time.monotonic()))
            piece = job.recv(1 << 20)
            if not piece:
                return bytes(output)
            output += piece
    except TimeoutError:
        if pid:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return None
    except OSError:
        # The child ended before it had read everything. Its output and status can still be read.
        with contextlib.suppress(OSError):
            job.settimeout(seconds)
            while piece := job.recv(1 << 20):
                output += piece
        return bytes(output)
