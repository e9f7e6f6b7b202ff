"""What follows when another server becomes the store: errors of the old one, and a name that leads
to the new one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sentinel_host.limiter import Limit, SharedTable
from sentinel_host.limiter.store import LimitStore
from sentinel_host.net import Names
from tests.limiter.store.servers import Front, Server
from tests.support.certificates import self_signed
from tests.support.clocks import PATIENCE
from tests.support.names import KnownNames

LIMIT = Limit(1000, 60)
KEY = b"client"
ERRORS = [
    b"READONLY You can't write against a read only replica.",
    b"ERR Error running script (call to f_1): @user_script:4: -READONLY You can't write against a read only replica.",
    b"LOADING Redis is loading the dataset in memory",
    b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    b"MOVED 3999 192.0.2.1:6381",
    b"CLUSTERDOWN The cluster is down",
    b"NOAUTH Authentication required.",
    b"NOPERM User default has no permissions to run the 'evalsha' command",
    b"MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist on disk.",
    b"NOREPLICAS Not enough good replicas to write.",
]

Scenario = Callable[[LimitStore, SharedTable, list[str | None]], Coroutine[Any, Any, None]]


def on_both_loops(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    for factory in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())


async def with_store(url: str, scenario: Scenario, names: Names | None = None, patience: float = PATIENCE) -> None:
    table = SharedTable.create(64)
    reports: list[str | None] = []
    store = LimitStore(url, table, reports.append, names or Names(), timeout=patience, pause=0.0)
    try:
        await scenario(store, table, reports)
    finally:
        await store.close()
        table.close()


async def kept(store: LimitStore, number: int = 8) -> None:
    """Have so many connections."""
    await asyncio.gather(*(store.check(LIMIT, KEY) for _ in range(number)))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.split()[0].decode())
def test_one_error_replaces_every_connection_that_is_kept(server: Server, error: bytes) -> None:
    """A kept connection to a server that had been demoted answered READONLY for ever, for local and
    strict limits.
    """

    async def main() -> None:
        async with Front(server) as front:

            async def scenario(store: LimitStore, table: SharedTable, reports: list[str | None]) -> None:
                await kept(store)
                assert front.accepted == 8
                front.demote(error)
                assert await store.check(LIMIT, KEY) >= 0
                assert table.live() == 1  # this one was local
                for _ in range(20):
                    await store.check(LIMIT, KEY)
                assert (table.live(), front.accepted) == (1, 9)
                assert len(reports) == 2
                assert reports[1] is None
                # And for what is told in the background.
                front.demote(error)
                store.count(LIMIT, KEY, table.check(LIMIT, KEY))
                await store.exchange()
                assert (len(store.deltas), store.available) == (1, False)
                await store.exchange()
                assert (len(store.deltas), store.available) == (0, True)

            await with_store(f"redis://127.0.0.1:{front.port}", scenario)

    on_both_loops(main)


def test_checks_that_fail_together_are_one_failure(server: Server) -> None:
    """What fails late says nothing of the connections that were made since."""

    async def main() -> None:
        async with Front(server) as front:

            async def scenario(store: LimitStore, table: SharedTable, reports: list[str | None]) -> None:
                await kept(store)
                front.demote(b"READONLY x")
                await kept(store)
                await kept(store)
                assert front.accepted == 16
                assert (len(reports), store.available) == (2, True)

            await with_store(f"redis://127.0.0.1:{front.port}", scenario)

    on_both_loops(main)


@pytest.mark.parametrize("error", [b"READONLY x", None], ids=["error", "silence"])
def test_a_name_leads_to_the_new_server_at_once(server: Server, error: bytes | None) -> None:
    """Whether the name has another address by then, or had both all the time."""

    async def main() -> None:
        async with Front(server) as old, Front(server, "127.0.0.2", old.port) as new:
            for before, after in ((["127.0.0.1"], ["127.0.0.2"]), (["127.0.0.1", "127.0.0.2"],) * 2):
                names = KnownNames({"store.test": before})

                async def scenario(
                    store: LimitStore,
                    table: SharedTable,
                    reports: list[str | None],
                    names: KnownNames = names,
                    after: list[str] = after,
                ) -> None:
                    await kept(store)
                    was = old.accepted, new.accepted
                    old.demote(error)
                    names.known["store.test"] = after
                    await store.check(LIMIT, KEY)
                    await kept(store)
                    assert (old.accepted, new.accepted) == (was[0], was[1] + 8)
                    assert table.live() == 1

                await with_store(f"redis://store.test:{old.port}", scenario, names, PATIENCE if error else 1.5)

    on_both_loops(main)


def test_a_server_that_is_the_wrong_one_for_a_while(server: Server) -> None:
    """It loads its data, or nobody has told it yet that it is the new one: then it serves, and
    nothing is lost.
    """

    async def main() -> None:
        async with Front(server) as front:

            async def scenario(store: LimitStore, table: SharedTable, reports: list[str | None]) -> None:
                front.error = b"LOADING Redis is loading the dataset in memory"
                for _ in range(5):
                    store.count(LIMIT, KEY, table.check(LIMIT, KEY))
                    await store.exchange()
                assert not store.available
                front.error = b""
                await store.exchange()
                assert (store.available, len(store.deltas)) == (True, 0)
                assert len(reports) == 2

            await with_store(f"redis://127.0.0.1:{front.port}", scenario)

    on_both_loops(main)


def test_a_password_that_is_asked_for_later(server: Server) -> None:
    async def main() -> None:
        async with Front(server) as front:

            async def scenario(store: LimitStore, table: SharedTable, reports: list[str | None]) -> None:
                await kept(store)
                server.ask("CONFIG", "SET", "requirepass", "secret")
                front.demote(b"NOAUTH Authentication required.")
                await store.check(LIMIT, KEY)
                await store.check(LIMIT, KEY)
                assert not store.available
                assert "secret" not in str(reports)
                with server.connected() as connection:
                    connection.sendall(b'AUTH secret\r\nCONFIG SET requirepass ""\r\n')
                    assert connection.recv(100)
                while not store.available:
                    await store.check(LIMIT, KEY)

            await with_store(f"redis://127.0.0.1:{front.port}", scenario)

    on_both_loops(main)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.3"])
def test_over_tls_the_name_is_what_is_verified(server: Server, tmp_path: Path, address: str) -> None:
    """The certificate is for localhost, and for one of the addresses that the other name has."""
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def main() -> None:
        async with Front(server, address, tls=context) as front:
            names = KnownNames({"localhost": [address], "other.test": [address]})
            for host, serves in (("localhost", True), ("other.test", False)):

                async def scenario(
                    store: LimitStore, table: SharedTable, reports: list[str | None], serves: bool = serves
                ) -> None:
                    await store.check(LIMIT, KEY)
                    assert store.available is serves
                    front.demote(b"READONLY x")
                    await store.check(LIMIT, KEY)
                    await store.check(LIMIT, KEY)
                    assert store.available is serves

                await with_store(f"rediss://{host}:{front.port}/?ssl_ca_certs={certificate}", scenario, names)

    on_both_loops(main)
