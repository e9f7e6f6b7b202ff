"""The real gateway in a process of its own: under ``sentinel run``, or under a stock Hypercorn."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.caches import CACHED
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.forked import ForkedProcess, Process

ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = ROOT / "build" / "guests"

_ANNOUNCED = re.compile(r"sentinel: (\w+) on (https?)://(\S+)|Running on (https?)://(\S+) \(CTRL")

# A gateway with dozens of guests compiles each of them, unless a test before had them too.
_START = 3 * PATIENCE

# What no traffic may make the gateway log: each is an exception that nobody expected.
_FAULTS = ("Traceback", "never retrieved", "Fatal error", "was destroyed")


class GatewayProcess:
    """A gateway that listens; ``public`` and ``admin`` are ``(host, port)``, ``log`` grows while it
    runs.
    """

    def __init__(self, process: Process, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.log: list[str] = []
        self.addresses: dict[str, tuple[str, int]] = {}
        self._changed = threading.Condition()
        pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe]
        # A process that has ended may have written to one pipe what is read after the end of the other.
        self._open = len(pipes)
        self._readers = [threading.Thread(target=self._read, args=(pipe,)) for pipe in pipes]
        for reader in self._readers:
            reader.start()

    @property
    def public(self) -> tuple[str, int]:
        """Where clients connect."""
        return self.addresses["public"]

    @property
    def admin(self) -> tuple[str, int]:
        """Where operators connect."""
        return self.addresses["admin"]

    @property
    def url(self) -> str:
        """The public side's URL without a path."""
        return f"http://{self.public[0]}:{self.public[1]}"

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Wait until something that the log shows is true."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition() or not self._open, seconds) or not condition():
                raise AssertionError(f"no {what}; the log says:\n{''.join(self.log)}")

    def wait_for_log(self, text: str, seconds: float = PATIENCE) -> str:
        """The first line that holds the text, once it is there."""
        self.wait(lambda: any(text in line for line in self.log), f"line with {text!r}", seconds)
        return next(line for line in self.log if text in line)

    def guest_lines(self, guest: str) -> list[dict[str, Any]]:
        """What a guest has logged so far, as the records that the host wrote."""
        records = [json.loads(line) for line in self.log if line.startswith("{")]
        return [record for record in records if record.get("guest") == guest]

    def metric(self, line: str) -> float:
        """One figure of ``/metrics``, by its name and labels as they are written there; 0 when it
        is not there.
        """
        text = fetch(self.admin, "/metrics").body.decode()
        return next(
            (float(value) for name, _, value in (entry.rpartition(" ") for entry in text.splitlines()) if name == line),
            0,
        )

    def wait_for_metric(self, line: str, expected: float, seconds: float = PATIENCE) -> None:
        """Wait until a figure of ``/metrics`` is what is expected."""
        end = time.monotonic() + seconds
        while (value := self.metric(line)) != expected:
            assert time.monotonic() < end, f"{line} is {value}, not {expected}"
            # Each look is a request, which the gateway passes on to all its workers.
            time.sleep(0.05)

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024

    def descriptors(self) -> int:
        """Open file descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self, seconds: float = PATIENCE) -> int:
        """SIGTERM, and wait; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the gateway did not stop within {seconds} s:\n{''.join(self.log)}") from None
        finally:
            for reader in self._readers:
                reader.join()
        return code

    def _read(self, pipe: Any) -> None:
        with pipe:
            for line in pipe:
                with self._changed:
                    self.log.append(line)
                    match = _ANNOUNCED.search(line)
                    if match:
                        host, _, port = (match[3] or match[5]).rpartition(":")
                        self.addresses[match[1] or "public"] = (host.strip("[]"), int(port))
                    self._changed.notify_all()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()


def write_config(folder: Path, text: str, guests: Mapping[str, Path | bytes] | None = None) -> Path:
    """Write ``sentinel.toml`` and the guests, by name, beside it."""
    (folder / "guests").mkdir(parents=True, exist_ok=True)
    for name, source in (guests or {}).items():
        artefact = source if isinstance(source, bytes) else source.read_bytes()
        (folder / "guests" / f"{name}.wasm").write_bytes(artefact)
    config = folder / "sentinel.toml"
    config.write_text(textwrap.dedent(text))
    return config


@contextlib.contextmanager
def sentinel_run(
    config: Path, environment: Mapping[str, str] | None = None, *, forks: bool = True
) -> Iterator[GatewayProcess]:
    """``sentinel run`` with a configuration; its listeners should ask for port 0. `environment` is
    laid over ours. It ``forks`` its children, or executes them.
    """
    listeners = 2 if re.search(r"^admin\s*=", config.read_text(), re.MULTILINE) else 1
    variables = _variables(environment or {})
    process = ForkedProcess("sentinel_host", ["run", "--config", str(config)], config.parent, variables, forks)
    with _running(process, config.parent, listeners) as gateway:
        yield gateway


@contextlib.contextmanager
def sentinel_proxy(upstream: str, folder: Path) -> Iterator[GatewayProcess]:
    """``sentinel run --upstream URL``, in a folder without any configuration."""
    arguments = ["run", "--upstream", upstream, "--bind", "127.0.0.1:0"]
    process = ForkedProcess("sentinel_host", arguments, folder, _variables(), forks=True)
    with _running(process, folder, 1) as gateway:
        yield gateway


@contextlib.contextmanager
def stock_hypercorn(config: Path) -> Iterator[GatewayProcess]:
    """The same application under Hypercorn as it is installed, without a worker process."""
    folder = config.parent
    (folder / "application.py").write_text(
        "import logging, sys\n"
        "from sentinel_host.gateway.app import create_app\n"
        "import atexit\n"
        "from sentinel_host.cli.logs import begin_log\n"
        "from sentinel_host.supervisor.output import create_lock\n"
        "atexit.register(begin_log(create_lock()).close)\n"
        f"app = create_app({str(config)!r})\n"
    )
    arguments = ["--workers", "0", "--bind", "127.0.0.1:0", "application:app"]
    process = ForkedProcess("hypercorn", arguments, folder, _variables())
    with _running(process, folder, 1, _said_by_hypercorn) as gateway:
        yield gateway


def _variables(environment: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """A gateway's environment: ours, what a test lays over it, and the tests' cache."""
    return {**os.environ, **environment, **CACHED}


@contextlib.contextmanager
def _running(
    process: Process, folder: Path, listeners: int, tolerated: Callable[[str], bool] = lambda line: False
) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(process, folder)
    try:
        gateway.wait(lambda: len(gateway.addresses) >= listeners, "listener", _START)
        yield gateway
    finally:
        gateway.stop(2 * PATIENCE)
    faults = [
        line
        for line in gateway.log
        if any(sign in line for sign in _FAULTS) and not is_of_a_guest(line) and not tolerated(line)
    ]
    assert not faults, f"the gateway logged faults of its own:\n{''.join(faults)}"


def is_of_a_guest(line: str) -> bool:
    """Whether a guest has written it: what its own code raises is no fault of the gateway."""
    return line.startswith("{") and '"guest":"' in line


def _said_by_hypercorn(line: str) -> bool:
    """A response that breaks off is an exception to Hypercorn, which says so in JSON and a second
    time in lines.
    """
    return not line.startswith("{") or "ResponseAborted" in line
