"""One endpoint of three fails in every way, before four workers of which one is killed
meanwhile.
"""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.hotload.failing import TOKEN
from tests.supervisor.support import config, exists, kill, starts, wait_until, workers
from tests.support.backends import Backend, running_backends
from tests.support.clients import Answer, fetch
from tests.support.gateways import GatewayProcess, sentinel_run, write_config

WORKERS = 4
# Nobody comes back while a test counts, and no answer of a busy machine is late.
EJECT = 'eject = { time = "60s" }'
TIMES = 'timeout = "20s"\nper_try_timeout = "2s"\nidle_timeout = "2s"\n'
REQUESTS = 40


def text(backends: list[Backend], settings: str = EJECT) -> str:
    targets = ", ".join(f'"{backend.url}"' for backend in backends)
    more = f'admin_token = "{TOKEN}"\ntrusted_proxies = ["127.0.0.1"]'
    written = config("TARGETS", workers=WORKERS, more=more, routes=TIMES)
    return written.replace('["TARGETS"]', f"[{targets}]\n{settings}").replace("watch = false", "watch = true")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_backends(1) as backends:
        folder = tmp_path_factory.mktemp("faults")
        with sentinel_run(write_config(folder, text(backends))) as running:
            wait_until(lambda: starts(running) >= WORKERS, "every worker")
            yield running


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    with running_backends(3) as running:
        yield running


def serve(gateway: GatewayProcess, written: str) -> None:
    """Have every worker serve another configuration."""
    said = "was reloaded, and serves"
    before = sum(said in line for line in gateway.log)
    write_config(gateway.folder, written)
    gateway.wait(lambda: sum(said in line for line in gateway.log) > before, "reload")


def ask(gateway: GatewayProcess, number: int, path: str = "/") -> Answer:
    """A request of one of a hundred clients."""
    return fetch(gateway.public, path, headers={"x-forwarded-for": f"192.0.2.{number % 100}"})


def ask_many(gateway: GatewayProcess, count: int = REQUESTS) -> Counter[int]:
    """The statuses of so many requests, one after the other."""
    return Counter(ask(gateway, number).status for number in range(count))


def kill_a_worker(gateway: GatewayProcess) -> None:
    """Nothing is under way in it."""
    pid = next(pid for pid in workers(gateway).values() if exists(pid))
    kill(pid)
    wait_until(lambda: not exists(pid), "its end")


def is_ejected(gateway: GatewayProcess, backend: Backend) -> bool:
    labels = f'state="ejected",target="{backend.url}",upstream="origin"'
    return gateway.metric(f"sentinel_endpoint_state{{{labels}}}") == 1


UNNOTICED: dict[str, Callable[[Backend], None]] = {
    "is killed": Backend.kill,
    "is stopped": Backend.stop,
    "refuses": lambda backend: backend.behave("refuse"),
    "resets": lambda backend: backend.behave("reset"),
    "says nothing": lambda backend: backend.behave("silent"),
    "answers 503": lambda backend: backend.behave("status", 503),
    "answers garbage": lambda backend: backend.behave("garbage"),
}


@pytest.mark.parametrize("how", UNNOTICED)
def test_idempotent_requests_do_not_notice(gateway: GatewayProcess, backends: list[Backend], how: str) -> None:
    serve(gateway, text(backends))
    # There are connections to it when it happens.
    assert ask_many(gateway) == {200: REQUESTS}
    UNNOTICED[how](backends[0])
    assert ask_many(gateway) == {200: REQUESTS}
    assert is_ejected(gateway, backends[0])
    kill_a_worker(gateway)
    assert ask_many(gateway) == {200: REQUESTS}


def test_answers_of_500_end_with_the_ejection(gateway: GatewayProcess, backends: list[Backend]) -> None:
    serve(gateway, text(backends))
    backends[0].behave("status", 500)
    assert ask_many(gateway, 3 * REQUESTS)[500] == 5
    assert is_ejected(gateway, backends[0])
    kill_a_worker(gateway)
    assert ask_many(gateway) == {200: REQUESTS}


@pytest.mark.parametrize("how", ["break", "hang"])
def test_bodies_that_are_not_whole_end_with_the_ejection(
    gateway: GatewayProcess, backends: list[Backend], how: str
) -> None:
    serve(gateway, text(backends))
    backends[0].behave(how)
    broken = 0
    for number in range(3 * REQUESTS):
        try:
            assert ask(gateway, number).status == 200
        except (http.client.HTTPException, ConnectionError):
            broken += 1
    # Each worker learns by itself that heads do not count here; two in a row are enough then.
    assert 2 <= broken <= 2 + WORKERS
    assert is_ejected(gateway, backends[0])
    kill_a_worker(gateway)
    assert ask_many(gateway) == {200: REQUESTS}


def test_a_slow_one_gets_less(gateway: GatewayProcess, backends: list[Backend]) -> None:
    serve(gateway, text(backends))
    backends[0].behave("slow", 0.5)
    statuses: list[Counter[int]] = []
    clients = [threading.Thread(target=lambda: statuses.append(ask_many(gateway))) for _ in range(6)]
    for client in clients:
        client.start()

    for client in clients:
        client.join()
    assert sum(statuses, Counter()) == {200: 6 * REQUESTS}
    slow, *others = (backend.count() for backend in backends)
    assert slow < min(others)


def test_one_that_flaps_is_not_noticed(gateway: GatewayProcess, backends: list[Backend]) -> None:
    serve(gateway, text(backends, 'eject = { time = "200ms", max_time = "200ms" }'))
    flapping = backends[0]
    for _ in range(4):
        flapping.kill()
        assert ask_many(gateway) == {200: REQUESTS}
        flapping.start()
        # It is back once it is asked.
        while not flapping.count():
            assert ask(gateway, 0).status == 200
    kill_a_worker(gateway)
    assert ask_many(gateway) == {200: REQUESTS}


def test_when_all_refuse_that_is_said_until_the_first_is_back(gateway: GatewayProcess, backends: list[Backend]) -> None:
    serve(gateway, text(backends))
    for backend in backends:
        backend.kill()
    for number in range(REQUESTS):
        answer = ask(gateway, number)
        assert (answer.status, answer.header("retry-after")) == (503, "1")
    kill_a_worker(gateway)
    assert ask(gateway, 0).status == 503
    backends[1].start()
    assert ask_many(gateway) == {200: REQUESTS}


def test_one_client_whose_requests_fail_takes_nothing_from_others(
    gateway: GatewayProcess, backends: list[Backend]
) -> None:
    serve(gateway, text(backends))
    for backend in backends:
        backend.behave("poison")
    assert {ask(gateway, 7, "/poison").status for _ in range(REQUESTS)} == {502}
    kill_a_worker(gateway)
    assert {ask(gateway, 7, "/poison").status for _ in range(REQUESTS)} == {502}
    assert not any(is_ejected(gateway, backend) for backend in backends)
    assert ask_many(gateway) == {200: REQUESTS}
    assert min(backend.count() for backend in backends) > 0


def test_a_storm_of_failures_is_not_made_worse(gateway: GatewayProcess, backends: list[Backend]) -> None:
    """Each worker has a budget of its own: together they are within the same share."""
    serve(gateway, text(backends, 'eject = false\nretry = { least = 0, backoff = "1ms", max_backoff = "1ms" }'))
    for backend in backends:
        backend.behave("status", 503)
    statuses: list[Counter[int]] = []
    clients = [threading.Thread(target=lambda: statuses.append(ask_many(gateway, 2 * REQUESTS))) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    asked = 16 * REQUESTS
    assert sum(statuses, Counter()) == {503: asked}
    assert asked < sum(backend.count() for backend in backends) <= 1.2 * asked


def test_reloads_under_load_lose_nothing(gateway: GatewayProcess, backends: list[Backend]) -> None:
    serve(gateway, text(backends))
    ends = threading.Event()
    statuses: Counter[int] = Counter()

    def ask_always() -> None:
        number = 0
        while not ends.is_set():
            statuses[ask(gateway, number).status] += 1
            number += 1

    client = threading.Thread(target=ask_always)
    client.start()
    try:
        for weight in range(2, 8):
            changed = text(backends).replace(
                f'"{backends[0].url}"', f'{{ url = "{backends[0].url}", weight = {weight} }}'
            )
            before = sum(statuses.values())
            serve(gateway, changed)
            wait_until(lambda before=before: sum(statuses.values()) > before + 5, "requests")
    finally:
        ends.set()
        client.join()
    assert set(statuses) == {200}
