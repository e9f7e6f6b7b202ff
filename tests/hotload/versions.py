"""Guests in versions that can be told apart, gateways that have them, and load that checks every
answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.hotload.configuration import with_one_route
from tests.supervisor.support import PAUSE, starts, wait_until
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.guests import answering, edit, edit_response
from tests.support.upstreams import Received, Upstream


def versioned(number: int) -> bytes:
    """A guest that marks requests and responses with its number."""
    mark = b"%d" % number
    return answering(edit(("set", "x-asked", mark)), edit_response(("set", "x-answered", mark)))


async def echo_version(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the number that the request was marked with."""
    mark = "".join(received.values("x-asked")).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(mark), mark))


def config(upstream: Upstream, *, workers: int = 1, guests: str = "", chain: str = '"g"', more: str = "") -> str:
    """A configuration whose one route has the guest ``g``; ``guests`` is keys of ``[guests]``."""
    text = with_one_route(
        server=f"workers = {workers}",
        guests=f"[guests]\n{guests}",
        target=upstream.url,
        chain=chain,
        route='name = "main"',
    )
    return text + more


@contextmanager
def running(folder: Path, text: str, guests: Mapping[str, Path | bytes] | None = None) -> Iterator[GatewayProcess]:
    """A gateway whose workers are all ready."""
    with sentinel_run(write_config(folder, text, guests)) as gateway:
        if "workers = 1" not in text:
            # Listeners are announced on one pipe, workers on another: their lines may be read in
            # any order.
            wait_until(lambda: starts(gateway) >= 2, "every worker's line")
        yield gateway


def put(gateway: GatewayProcess, data: bytes, name: str = "g") -> None:
    """Rename a file into the guests' folder."""
    temporary = gateway.folder / "guests" / f"{name}.tmp"
    temporary.write_bytes(data)
    temporary.rename(temporary.with_suffix(".wasm"))


def serving(gateway: GatewayProcess) -> set[str | None]:
    """The versions that answer now; connections go to any worker."""
    return {fetch(gateway.public).header("x-answered") for _ in range(8)}


def wait_for_version(gateway: GatewayProcess, data: bytes, workers: int = 1) -> None:
    """Wait until every worker serves this file as guest ``g``."""
    digest = hashlib.sha256(data).hexdigest()
    gateway.wait_for_metric(f'sentinel_guest_info{{guest="g",sha256="{digest}"}}', workers)


def refusals(gateway: GatewayProcess) -> int:
    """How many files have been refused so far, by the log."""
    return sum("was not replaced" in line for line in list(gateway.log))


class VersionLoad:
    """Clients that ask until the block ends. ``answers`` counts answers by version, ``failed`` is
    all others.

    An answer must have been made by one version alone, whichever: what it was asked with and
    answered with agree.
    """

    def __init__(self, gateway: GatewayProcess, clients: int = 4) -> None:
        self.answers: dict[str, int] = {}
        self.failed: list[str] = []
        self._address = gateway.public
        self._stop = threading.Event()
        self._lock = threading.Lock()
        # Half of them keep their connections.
        self._threads = [threading.Thread(target=self._run, args=(bool(i % 2),)) for i in range(clients)]

    def __enter__(self) -> VersionLoad:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def total(self) -> int:
        """Answers so far."""
        return sum(self.answers.values())

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests have been answered."""
        goal = self.total + more
        wait_until(lambda: self.total >= goal or bool(self.failed), f"{more} more answers")

    def _run(self, keep: bool) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=PATIENCE)
        while not self._stop.is_set():
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                asked, answered = response.read().decode(), response.getheader("x-answered")
                with self._lock:
                    if response.status == 200 and asked == answered:
                        self.answers[asked] = self.answers.get(asked, 0) + 1
                    else:
                        self.failed.append(f"{response.status}: asked by {asked!r}, answered by {answered!r}")
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.failed.append(repr(error))
                connection.close()
            if not keep:
                connection.close()
            self._stop.wait(PAUSE)
        connection.close()
