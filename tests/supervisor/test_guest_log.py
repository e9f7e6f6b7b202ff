"""What guests log in several workers, which write to one output."""

from __future__ import annotations

from guestbuild.places import GUESTS
from tests.supervisor.conftest import Start
from tests.supervisor.support import Load, config
from tests.support.upstreams import Upstream


def test_every_request_has_its_whole_line(upstream: Upstream, start: Start) -> None:
    gateway = start(
        config(upstream.url, routes='chain = ["access-log"]'), {"access-log": GUESTS / "rust" / "access-log.wasm"}
    )
    with Load(gateway.public, fresh=3, kept=3) as load:
        load.wait_for(100)
    gateway.wait(lambda: len(gateway.guest_lines("access-log")) >= load.answered, f"{load.answered} lines")
    lines = gateway.guest_lines("access-log")
    assert len({line["request_id"] for line in lines}) == len(lines)
    assert all('"outcome":"completed"' in line["message"] for line in lines[: load.answered])
