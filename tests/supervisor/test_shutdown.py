"""SIGTERM with several workers: ABUSE.md 46."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack

import pytest

from tests.supervisor.conftest import Start
from tests.supervisor.support import Load, Pieces, children, config, exists, refuses, wait_until
from tests.support.clients import Wire
from tests.support.clocks import LATE, PATIENCE
from tests.support.upstreams import Upstream, answer_hello


@pytest.mark.parametrize("workers", [1, 2])
def test_streams_that_end_within_the_grace_period_are_whole(upstream: Upstream, start: Start, workers: int) -> None:
    gateway = start(config(upstream.url, workers=workers, grace="10s"))
    streams = []
    with ExitStack() as stack:
        for _ in range(6):
            pieces = Pieces()
            upstream.handler = pieces
            wire = stack.enter_context(Wire(gateway.public))
            wire.get()
            assert wire.head().status == 200
            streams.append((wire, pieces))
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(gateway.public), "new connections to be refused")
        for number, (wire, pieces) in enumerate(streams):
            pieces.send(b"%d" % number)
            assert wire.chunk() == b"%d" % number
        for wire, pieces in streams:
            pieces.send(b"")
            assert wire.chunk() == b""
    assert gateway.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_who_could_not_be_told_is_answered_once_more(upstream: Upstream, start: Start, workers: int) -> None:
    """A response whose head had gone out without ``Connection: close`` was once followed by a bare end."""
    gateway = start(config(upstream.url, workers=workers))
    upstream.handler = pieces = Pieces()
    with Wire(gateway.public) as wire:
        wire.get()
        head = wire.head()
        assert (head.status, head.header("connection")) == (200, None)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(gateway.public), "new connections to be refused")
        pieces.send(b"")
        assert wire.chunk() == wire.line() == b""
        upstream.handler = answer_hello
        wire.get()
        head = wire.head()
        assert (head.status, head.header("connection")) == (200, "close")
    assert gateway.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_requests_in_full_flow_all_get_their_answer(upstream: Upstream, start: Start, workers: int) -> None:
    gateway = start(config(upstream.url, workers=workers))
    with Load(gateway.public, fresh=2, kept=2) as load:
        load.wait_for(50)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: len(load.refused) > 3, "new connections to be refused")
    assert load.lost == []
    assert gateway.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_a_stream_without_end_holds_it_up_for_the_grace_period_only(
    upstream: Upstream, start: Start, workers: int
) -> None:
    gateway = start(config(upstream.url, workers=workers, grace="2s"))
    upstream.handler = pieces = Pieces()
    with Wire(gateway.public) as wire:
        wire.get()
        assert wire.head().status == 200
        processes = children(gateway.process.pid)
        begun = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(PATIENCE) == 0
        assert 2.0 <= time.monotonic() - begun < 3.0 + LATE
        # Not a proper end: the client can tell.
        assert wire.rest() == b""
    pieces.send(b"")
    assert not any(exists(pid) for pid in processes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_ends_everything_at_once(
    upstream: Upstream, start: Start, workers: int, number: signal.Signals
) -> None:
    gateway = start(config(upstream.url, workers=workers, grace="60s"))
    upstream.handler = pieces = Pieces()
    with Wire(gateway.public) as wire:
        wire.get()
        assert wire.head().status == 200
        processes = children(gateway.process.pid)
        gateway.process.send_signal(number)
        wait_until(lambda: refuses(gateway.public), "new connections to be refused")
        gateway.process.send_signal(number)
        assert gateway.process.wait(PATIENCE) == -number
        wait_until(lambda: not any(exists(pid) for pid in processes), "the workers' end")
    pieces.send(b"")


def test_a_terminals_signal_reaches_the_supervisor_only(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url))
    group = os.getpgid(gateway.process.pid)
    pids = children(gateway.process.pid)
    assert pids
    # One that is just being made, as the spare worker may be, is in the supervisor's until it leaves that.
    wait_until(lambda: all(os.getpgid(pid) != group for pid in pids), "its processes to have groups of their own")
