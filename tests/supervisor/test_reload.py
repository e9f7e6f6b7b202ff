"""SIGHUP: every worker is replaced, and nobody notices."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.supervisor.conftest import Start
from tests.supervisor.support import Load, Pieces, children, config, exists, refuses, starts, wait_until, workers
from tests.support.certificates import self_signed
from tests.support.clients import Wire, fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, write_config
from tests.support.guests import answering, respond
from tests.support.upstreams import Upstream

_REFUSED = "the reload failed, and the old configuration stays"
_DONE = "reloaded"


def reload(gateway: GatewayProcess, *, refused: bool = False) -> str:
    """SIGHUP, and the line that says how it went."""
    text = _REFUSED if refused else _DONE
    before = sum(text in line for line in gateway.log)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait(lambda: sum(text in line for line in gateway.log) > before, text, 2 * PATIENCE)
    return [line for line in gateway.log if text in line][-1]


def test_rolling_restarts_under_load_fail_no_request(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url, workers=2, grace="600s"))
    with Load(gateway.public, fresh=2, kept=2, asks_again=True) as load:
        load.wait_for(50)
        for _ in range(3):
            before = set(workers(gateway).values())
            reload(gateway)
            assert not before & set(workers(gateway).values())
            load.wait_for(50)
    assert (load.lost, load.refused) == ([], [])
    # What was asked again had reached nobody: no request was served and then lost.
    assert len(upstream.requests) == load.answered
    assert gateway.metric('sentinel_worker_restarts_total{worker="0"}') == 0


def test_a_response_in_flight_outlives_its_workers_replacement(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url, grace="600s"))
    pieces = Pieces()
    upstream.handler = pieces
    with Wire(gateway.public) as wire:
        wire.get()
        assert wire.head().status == 200
        pieces.send(b"one")
        assert wire.chunk() == b"one"
        reload(gateway)
        pieces.send(b"two")
        assert wire.chunk() == b"two"
        pieces.send(b"")
        assert wire.chunk() == b""


def test_new_workers_serve_the_new_configuration(upstream: Upstream, start: Start, tmp_path: Path) -> None:
    guests = {"teapot": answering(respond(418, []))}
    gateway = start(config(upstream.url), guests)
    assert fetch(gateway.public).status == 200
    write_config(tmp_path, config(upstream.url, routes='chain = ["teapot"]'))
    assert fetch(gateway.public).status == 200
    reload(gateway)
    # The old workers have been told to go; what connects before they have heard is still served by
    # them.
    wait_until(lambda: {fetch(gateway.public).status for _ in range(10)} == {418}, "only the new configuration")


def test_the_number_of_workers_and_the_addresses_may_change(upstream: Upstream, start: Start, tmp_path: Path) -> None:
    gateway = start(config(upstream.url, workers=2))
    before = gateway.public
    write_config(tmp_path, config(upstream.url, workers=3).replace('["127.0.0.1:0"]', '["127.0.0.1:0", "[::1]:0"]'))
    reload(gateway)
    assert sorted(workers(gateway)) == [0, 1, 2]
    assert fetch(before).body == b"hello"
    gateway.wait_for_metric('sentinel_worker_up{worker="2"}', 1)
    write_config(tmp_path, config(upstream.url, workers=1).replace('["127.0.0.1:0"]', '["127.0.0.2:0"]'))
    reload(gateway)
    wait_until(lambda: refuses(before), "the old address to be closed")
    wait_until(lambda: 'worker="2"' not in fetch(gateway.admin, "/metrics").body.decode(), "one worker")


def test_more_workers_than_the_shared_memory_has_room_for_need_a_restart(
    upstream: Upstream, start: Start, tmp_path: Path
) -> None:
    gateway = start(config(upstream.url, workers=2))
    before = workers(gateway)
    write_config(tmp_path, config(upstream.url, workers=5))
    assert "server.workers: more than 4 need a restart" in reload(gateway, refused=True)
    assert workers(gateway) == before
    assert fetch(gateway.public).body == b"hello"


def test_a_broken_configuration_changes_nothing_and_says_why(upstream: Upstream, start: Start, tmp_path: Path) -> None:
    gateway = start(config(upstream.url))
    before = workers(gateway)
    write_config(tmp_path, config(upstream.url, more="worker = 3"))
    assert "unknown key `worker`" in reload(gateway, refused=True)
    write_config(tmp_path, "[[route")
    assert "sentinel.toml" in reload(gateway, refused=True)
    (tmp_path / "sentinel.toml").unlink()
    assert "No such file" in reload(gateway, refused=True)
    write_config(tmp_path, config(upstream.url, more='tls = { cert = "none.pem", key = "none.pem" }'))
    assert "none.pem" in reload(gateway, refused=True)
    write_config(tmp_path, config(upstream.url).replace('["127.0.0.1:0"]', '["203.0.113.1:0"]'))
    assert "203.0.113.1" in reload(gateway, refused=True)
    assert workers(gateway) == before
    assert {fetch(gateway.public).body for _ in range(10)} == {b"hello"}
    wait_until(lambda: fetch(gateway.admin, "/readyz").status == 200, "readiness")


def test_a_reload_that_would_take_a_guest_out_of_service_is_refused(
    upstream: Upstream, start: Start, tmp_path: Path
) -> None:
    gateway = start(config(upstream.url))
    before = workers(gateway)
    write_config(tmp_path, config(upstream.url, routes='chain = ["absent"]'))
    with Load(gateway.public, kept=0) as load:
        assert "guest absent is not in service" in reload(gateway, refused=True)
        load.wait_for(20)
    # The worker that was refused had accepted connections before it was judged, and answered 503.
    assert (load.lost, load.refused) == ([], [])
    # A worker that dies now comes back with what its siblings serve, not with what the file says.
    count = starts(gateway)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: starts(gateway) > count, "a new worker")
    assert {fetch(gateway.public).status for _ in range(10)} == {200}


def test_workers_that_were_replaced_go_back_when_a_later_one_fails(
    upstream: Upstream, start: Start, tmp_path: Path
) -> None:
    gateway = start(config(upstream.url), forks=False)
    certificate, key = self_signed(tmp_path)
    write_config(tmp_path, config(upstream.url, more=f'tls = {{ cert = "{certificate}", key = "{key}" }}'))
    wait_until(lambda: len(children(gateway.process.pid)) == 3, "two workers and the process in reserve")
    before, ready, known = workers(gateway), starts(gateway), set(children(gateway.process.pid))
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: starts(gateway) == ready + 1, "the first new worker")
    first = workers(gateway)[0]
    later: set[int] = set()

    def has_begun() -> bool:
        later.update(set(children(gateway.process.pid)) - known - {first})
        return bool(later)

    # It has a process to load before it can be ready.
    wait_until(has_begun, "the second new worker")
    os.kill(min(later), signal.SIGKILL)
    assert "SIGKILL" in gateway.wait_for_log(_REFUSED)
    after = workers(gateway)
    assert after[1] == before[1]
    assert after[0] != before[0]
    assert starts(gateway) == ready + 2
    wait_until(lambda: not exists(first), "its end")
    # Without TLS, as before.
    assert {fetch(gateway.public).body for _ in range(20)} == {b"hello"}
    wait_until(lambda: fetch(gateway.admin, "/readyz").status == 200, "readiness")


def test_one_worker_alone_reloads_in_place(upstream: Upstream, start: Start, tmp_path: Path) -> None:
    text = config(upstream.url, workers=1)
    gateway = start(text)
    write_config(tmp_path, text.replace('path = "/"', 'path = "/elsewhere"'))
    assert fetch(gateway.public).body == b"hello"
    reload(gateway)
    assert fetch(gateway.public).status == 404
    assert fetch(gateway.public, "/elsewhere").body == b"hello"
