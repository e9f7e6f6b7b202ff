"""systemd's two protocols, spoken by a test: readiness by datagram, and sockets that were opened
before.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.supervisor.support import config, launched
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import write_config
from tests.support.upstreams import Upstream


class Manager:
    """The other end of ``$NOTIFY_SOCKET``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self._socket.settimeout(2 * PATIENCE)

    def next(self) -> dict[str, str]:
        """The next datagram's assignments."""
        lines = self._socket.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def wait_for(self, key: str) -> dict[str, str]:
        """The next datagram that has the key."""
        while key not in (told := self.next()):
            pass
        return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A manager that listens in the file system; `tests/unit/supervisor/test_notify.py` has the
    other kind.
    """
    listening = Manager(str(tmp_path / "notify"))
    yield listening
    listening.close()


def listening_socket() -> socket.socket:
    """As a socket unit opens it."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


@pytest.mark.parametrize("workers", [1, 2])
def test_the_manager_hears_of_readiness_and_of_the_end(
    upstream: Upstream, tmp_path: Path, manager: Manager, workers: int
) -> None:
    file = write_config(tmp_path, config(upstream.url, workers=workers))
    with launched(file, environment={"NOTIFY_SOCKET": manager.path}) as gateway:
        assert manager.next()["READY"] == "1"
        gateway.wait(lambda: "public" in gateway.addresses, "listener")
        assert fetch(gateway.public).body == b"hello"
        gateway.process.send_signal(signal.SIGTERM)
        assert manager.next()["STOPPING"] == "1"


def test_a_reload_is_told_from_its_begin_to_its_end(upstream: Upstream, tmp_path: Path, manager: Manager) -> None:
    file = write_config(tmp_path, config(upstream.url))
    with launched(file, environment={"NOTIFY_SOCKET": manager.path}) as gateway:
        assert manager.next()["READY"] == "1"
        before = time.monotonic_ns() // 1000
        gateway.process.send_signal(signal.SIGHUP)
        told = manager.next()
        assert told["RELOADING"] == "1"
        assert before <= int(told["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert manager.next()["READY"] == "1"
        file.write_text("[[nonsense")
        gateway.process.send_signal(signal.SIGHUP)
        assert manager.next()["RELOADING"] == "1"
        told = manager.next()
        assert told["READY"] == "1"
        assert "sentinel.toml" in told["STATUS"]


@pytest.mark.parametrize("workers", [2])
def test_the_watchdog_is_fed_if_it_is_asked_for(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    manager = Manager(str(tmp_path / "notify"))
    file = write_config(tmp_path, config(upstream.url, workers=workers))
    with launched(file, environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"}):
        manager.wait_for("READY")
        manager.wait_for("WATCHDOG")
        manager.wait_for("WATCHDOG")
        manager.wait_for("WATCHDOG")
    manager.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_sockets_that_were_opened_before_take_the_place_of_addresses(
    upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    file = write_config(tmp_path, config(upstream.url, workers=workers))
    with ExitStack() as stack:
        public, admin = (stack.enter_context(listening_socket()) for _ in range(2))
        # It waits in the queue of a socket that nobody serves yet.
        early = stack.enter_context(socket.create_connection(public.getsockname(), PATIENCE))
        early.sendall(b"GET / HTTP/1.1\r\nHost: early\r\nConnection: close\r\n\r\n")
        environment = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "admin:public"}
        gateway = stack.enter_context(launched(file, environment=environment, sockets=[admin, public]))
        assert early.makefile("rb").read().endswith(b"hello")
        gateway.wait(lambda: len(gateway.addresses) == 2, "listeners")
        assert gateway.public == public.getsockname()
        assert gateway.admin == admin.getsockname()
        assert fetch(admin.getsockname(), "/readyz").status == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_a_socket_without_a_name_is_public_and_the_rest_is_bound(
    upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    file = write_config(tmp_path, config(upstream.url, workers=workers))
    with (
        listening_socket() as public,
        launched(file, environment={"LISTEN_FDS": "1"}, sockets=[public]) as gateway,
    ):
        gateway.wait(lambda: len(gateway.addresses) == 2, "listeners")
        assert gateway.public == public.getsockname()
        assert fetch(gateway.admin, "/healthz").status == 200


@pytest.mark.parametrize(
    ("environment", "count", "reason"),
    [
        ({"LISTEN_FDS": "2"}, 2, "2 public sockets stand for server.bind, which has 1"),
        ({"LISTEN_FDS": "1", "LISTEN_FDNAMES": "metrics"}, 1, "got 'metrics'"),
        ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "admin:admin"}, 2, "one admin listener"),
        ({"LISTEN_FDS": "3"}, 2, "descriptor 5"),
    ],
)
def test_sockets_that_fit_nothing_are_refused(
    upstream: Upstream, tmp_path: Path, environment: dict[str, str], count: int, reason: str
) -> None:
    file = write_config(tmp_path, config(upstream.url))
    with ExitStack() as stack:
        sockets = [stack.enter_context(listening_socket()) for _ in range(count)]
        gateway = stack.enter_context(launched(file, environment=environment, sockets=sockets))
        assert gateway.process.wait(PATIENCE) == 1
        gateway.wait_for_log(reason)
