"""A gateway whose guests loop, trap and fail, with well-behaved requests beside them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import pytest

from tests.support.clients import Answer, Wire, fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.guests import answering, edit
from tests.support.upstreams import Upstream, running_upstream
from tests.wat import index

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
trusted_proxies = ["127.0.0.0/8"]

[guest.loop]
deadline = "50ms"
instances = 4

[guest.fresh]
isolation = "request"

[guest.traps-open]
on_failure = "open"

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
chain = ["loop"]

[[route]]
path = "/plain"
upstream = "origin"

[[route]]
path = "/trap"
upstream = "origin"
chain = ["traps", "edits"]

[[route]]
path = "/open"
upstream = "origin"
chain = ["traps-open", "edits"]

[[route]]
path = "/fresh"
upstream = "origin"
chain = ["fresh"]

[[route]]
path = "/completion"
upstream = "origin"
chain = ["complete_loops", "slow_complete"]
"""

# The path that makes loop_far loop for ever has five bytes.
LOOP = "/loop"
GUESTS = {
    "loop": index.wasm("hostile/loop_far"),
    "traps": index.wasm("hostile/unreachable"),
    "traps-open": index.wasm("hostile/unreachable"),
    "edits": answering(edit(("set", "x-edited", b"1"))),
    "fresh": index.wasm("good/counter"),
    "complete_loops": index.wasm("hostile/complete_loops"),
    "slow_complete": index.wasm("good/slow_complete"),
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, upstream: Upstream) -> Iterator[GatewayProcess]:
    upstream.reset()
    config = write_config(tmp_path, CONFIG.replace("UPSTREAM", upstream.url), GUESTS)
    with sentinel_run(config) as running:
        yield running


def reports(gateway: GatewayProcess, guest: str) -> list[str]:
    """What the host says about a guest's failures."""
    records = [json.loads(line) for line in list(gateway.log) if line.startswith("{")]
    return [record["message"] for record in records if f"guest {guest}:" in record["message"]]


def test_requests_beside_a_loop_are_served(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Rows 1 and 3: four loops at once are each answered 503, and nobody else notices."""
    stop = threading.Event()
    beside: list[Answer] = []
    behind: list[Answer] = []

    def probe(path: str, answers: list[Answer]) -> None:
        while not stop.is_set():
            answers.append(fetch(gateway.public, path))

    probers = [threading.Thread(target=probe, args=to) for to in (("/plain", beside), ("/other", behind))]
    for prober in probers:
        prober.start()
    try:
        for _ in range(3):
            with ThreadPoolExecutor(4) as threads:
                loops = list(threads.map(lambda _: fetch(gateway.public, LOOP), range(4)))
            assert [answer.status for answer in loops] == [503] * 4
    finally:
        stop.set()
        for prober in probers:
            prober.join()
    assert beside
    assert {answer.status for answer in beside} == {200}
    # While all of its instances loop, the guest's other requests wait, and after a while are told
    # to come back.
    assert {answer.status for answer in behind} <= {200, 503}
    assert all(answer.header("retry-after") == "1" for answer in behind if answer.status == 503)
    assert not [request for request in upstream.requests if request.target == LOOP]
    failures: list[str] = []

    def all_told() -> bool:
        failures[:] = [line for line in reports(gateway, "loop") if "on-request: " in line]
        return len(failures) == 12

    gateway.wait(all_told, "twelve failures")
    assert all("(request " in line for line in failures)


def test_a_client_that_leaves_a_looping_request(gateway: GatewayProcess) -> None:
    for _ in range(10):
        wire = Wire(gateway.public)
        wire.send(b"GET /loop HTTP/1.1\r\nhost: h\r\n\r\n")
        wire.reset()
    assert fetch(gateway.public, "/plain").status == 200
    end = perf_counter() + PATIENCE
    while fetch(gateway.public, "/other").status != 200:
        assert perf_counter() < end


def test_a_trap_is_reported_with_its_frames_and_the_upstream_sees_nothing(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Row 10."""
    answer = fetch(gateway.public, "/trap", headers={"x-request-id": "r-7"})
    assert (answer.status, answer.header("retry-after")) == (503, None)
    assert upstream.requests == []
    line = json.loads(gateway.wait_for_log("guest traps:"))
    assert (line["guest"], line["request_id"], line["level"]) == ("traps", "r-7", "error")
    assert line["message"].splitlines()[:3] == [
        "guest traps: on-request: wasm `unreachable` instruction executed (request r-7)",
        "    unreachable!inner",
        "    unreachable!outer",
    ]


def test_quarantine_by_several_clients_also_of_an_open_guest(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Skipped while it fails, refused in quarantine, where no single client can bring it."""
    with Wire(gateway.public) as wire:

        def ask(client: int) -> Answer:
            wire.send(f"GET /open HTTP/1.1\r\nhost: h\r\nx-forwarded-for: 192.0.2.{client}\r\n\r\n".encode())
            return wire.answer()

        assert {ask(1).status for _ in range(250)} == {200}
        assert upstream.requests[-1].values("x-edited") == ["1"]
        # What the first client brings about counts for no more than what the others do.
        seen = len(upstream.requests)
        passed = 0
        while (refused := ask(2 + passed % 5)).status == 200:
            passed += 1
            assert refused.header("retry-after") is None
        assert passed == 10
        assert refused.status == 503
        assert int(refused.header("retry-after") or 0) >= 1
        assert len(upstream.requests) == seen + passed
    gateway.wait_for_log("guest traps-open is in quarantine for 1 s: it fails for several clients")


def test_a_fresh_instance_for_every_request(gateway: GatewayProcess) -> None:
    assert [fetch(gateway.public, "/fresh").status for _ in range(5)] == [200] * 5


def test_completions_that_take_time_all_run(gateway: GatewayProcess) -> None:
    """Also for a client that is gone; the guest before a looping one in the chain hears of the end,
    too.
    """
    with Wire(gateway.public) as wire:
        wire.send(b"GET /completion HTTP/1.1\r\nhost: h\r\n\r\n")
    assert fetch(gateway.public, "/completion").status == 200
    gateway.wait(lambda: len(gateway.guest_lines("slow_complete")) == 2, "two lines of slow_complete")
    gateway.wait(lambda: len(reports(gateway, "complete_loops")) == 2, "two failures of complete_loops")
