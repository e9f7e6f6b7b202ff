"""A page of the documentation, followed as a reader would: files written, commands run, answers
compared.

- A ``toml``, ``python``, ``rust`` or ``ts`` block whose first line is a comment with a path is
  written to that file.
- ``sh`` blocks run in bash, one after another, in one folder; the working directory and exports
  last. A line that begins with ``sentinel run`` starts a gateway, which serves until the page ends
  or starts another.
- ``console`` blocks hold commands after ``$ `` and what they must print, in which ``…`` stands for
  anything.

Every page has an address of its own in 127.0.0.0/8 in place of 127.0.0.1, so that ports stay as
they are written.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from guestbuild import cargo_command, rust_environment
from guestbuild.places import BUILD, REPOSITORY
from sentinel_host.authoring.cache import locked
from tests.support.caches import CACHED
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run

_PATH = re.compile(r"(?:#|//) (\S+\.\w+)\n")
_SERVER = re.compile(r"http\.server (\d+)")
# A cold machine compiles the SDK first.
_COMPILING = 900
_TARGET = BUILD / "cargo" / "external"
# What stands for cargo: crates share what they compile, and what other tests have compiled.
_CARGO = """#!/bin/bash
[ ! -f Cargo.toml ] || [ -e target ] || ln -s "$SHARED_TARGET" target
exec {cargo} "$@"
"""


class Walkthrough:
    """The folder and the processes of one page; to be used as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.gateway: GatewayProcess | None = None
        self._state = folder
        self._shims = folder / "bin"
        self._groups: list[int] = []
        self._gateways = contextlib.ExitStack()
        pid = os.getpid()
        self.address = f"127.{64 + (pid >> 16 & 63)}.{pid >> 8 & 255}.{pid & 255}"

    def __enter__(self) -> Walkthrough:
        self._shims.mkdir()
        _TARGET.mkdir(parents=True, exist_ok=True)
        program, *options = cargo_command()
        # By its path: by its name it would be what stands for it.
        cargo = shlex.join([shutil.which(program) or program, *options])
        shim = self._shims / "cargo"
        shim.write_text(_CARGO.format(cargo=cargo))
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
        (self._state / "directory").write_text(str(self.folder))
        (self._state / "exports").write_text("")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self._gateways.close()

    def write(self, text: str) -> bool:
        """Write a block to the file that its first line names, if it does."""
        match = _PATH.match(text)
        if match:
            path = self.folder / match[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._own(text))
        return match is not None

    def run(self, script: str) -> None:
        """Run a ``sh`` block; a gateway that it starts is started between the lines before and
        after.
        """
        lines: list[str] = []
        for line in script.splitlines():
            if line.startswith("sentinel run "):
                self._shell("\n".join(lines))
                lines = []
                self._start()
            else:
                lines.append(line)
        self._shell("\n".join(lines))

    def compare(self, session: str) -> None:
        """Run a ``console`` block, and compare what it prints."""
        for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            command, _, expected = self._own(part).partition("\n")
            printed = self._shell(command)
            lines = [r"(?:.*\n)*" if line == "…" else f"{re.escape(line)}\n" for line in expected.splitlines()]
            pattern = "".join(lines).replace("…", ".*")
            assert re.fullmatch(pattern, printed), f"$ {command}\n{printed}\ninstead of\n{expected}"

    def _start(self) -> None:
        self._gateways.close()
        configuration = Path((self._state / "directory").read_text().strip(), "sentinel.toml")
        # A command may have written it.
        configuration.write_text(self._own(configuration.read_text()))
        self.gateway = self._gateways.enter_context(sentinel_run(configuration, self._exports()))

    def _exports(self) -> dict[str, str]:
        """What earlier lines have exported."""
        command = ["bash", "-c", f". {self._state}/exports; env -0"]
        told = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True).stdout
        return dict(entry.split("=", 1) for entry in told.split("\0") if entry)

    def _shell(self, script: str) -> str:
        """Run lines in bash, and return what they print. Raises `AssertionError` if one of them
        fails.
        """
        if not script.strip():
            return ""
        # One for each: a server that an earlier one left in the background goes on writing to its
        # own.
        output = self._state / f"output-{len(self._groups)}"
        wrapped = (
            f'. {self._state}/exports; cd "$(cat {self._state}/directory)"; set -eu -o pipefail\n{self._own(script)}\n'
            f"pwd > {self._state}/directory; export -p > {self._state}/exports\n"
        )
        # A file and not a pipe: what runs in the background would hold a pipe open.
        with output.open("wb") as written, locked(BUILD / "npm-pack.lock") if "npm" in script else _nothing():
            process = subprocess.Popen(
                ["bash", "-c", wrapped],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._groups.append(process.pid)
            code = process.wait(_COMPILING)
        printed = output.read_text()
        assert code == 0, (
            f"{script}\nexits with {code}:\n{printed}\n{''.join(self.gateway.log if self.gateway else [])}"
        )
        for port in _SERVER.findall(script):
            self._wait_for(int(port))
        return printed

    def _wait_for(self, port: int) -> None:
        """Wait until something listens, as a reader does between two commands."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection((self.address, port), PATIENCE).close()
                return
            except ConnectionRefusedError:
                assert time.monotonic() < end, f"nothing listens at port {port}"
                time.sleep(0.01)

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self._shims), str(Path(sys.executable).parent), os.environ["PATH"]])
        shared = {"SENTINEL": str(REPOSITORY), "SHARED_TARGET": str(_TARGET)}
        return {**os.environ, **rust_environment(), **CACHED, **shared, "PATH": path, "COLUMNS": "200"}

    def _own(self, text: str) -> str:
        return text.replace("127.0.0.1", self.address)


def _nothing() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()
