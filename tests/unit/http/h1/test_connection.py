"""How a connection goes on after a request, and how it ends: no socket, no thread, a number as
clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from sentinel_host.http.h1 import states
from sentinel_host.http.h1.actions import REFUSAL
from sentinel_host.http.h1.connection import RECENT
from sentinel_host.http.server import ServerLimits
from sentinel_host.http.server.limit_exceeded import LimitExceeded
from tests.unit.http.h1.driver import DATE, Driver

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
FIVE = POST + b"Content-Length: 5\r\n\r\n"
LARGE = POST + b"Content-Length: 70000\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
EXPECTING = POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
OLD_KEPT = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
LIMITS = ServerLimits()


def at(state: int, limits: ServerLimits = LIMITS) -> Driver:
    """A connection in that state."""
    driver = Driver(limits)
    if state == states.BODY:
        driver.receive(FIVE)
    elif state == states.ANSWERING:
        driver.receive(GET)
    elif state == states.DRAINING:
        driver.receive(FIVE).answer()
    elif state == states.FAILED:
        driver.receive(CHUNKED, b"x\r\n")
    elif state == states.TUNNEL:
        driver.receive(UPGRADE)
        driver.sent += driver.connection.response.switch(b"websocket", [])
        driver.connection.switch(driver.now)
    elif state == states.ENDING:
        driver.receive(b"\n")
    assert driver.connection.state == state
    driver.log.clear()
    return driver


class TestKeepAlive:
    @pytest.mark.parametrize(
        ("request_", "kept", "said"),
        [
            (GET, True, b""),
            (OLD_KEPT, True, b"\r\nconnection: keep-alive"),
            (OLD, False, b"\r\nconnection: close"),
            (LAST, False, b"\r\nconnection: close"),
        ],
    )
    def test_by_the_request(self, request_: bytes, kept: bool, said: bytes) -> None:
        driver = Driver().receive(request_).answer()
        assert driver.sent == b"HTTP/1.1 200 OK" + DATE + b"\r\ncontent-length: 2" + said + b"\r\n\r\nok"
        assert driver.log[1:] == ([] if kept else ["close"])
        assert driver.connection.state == (states.HEAD if kept else states.ENDING)

    @pytest.mark.parametrize("version", [b"1.1", b"1.0"])
    @pytest.mark.parametrize(
        "fields",
        [
            [b"close", b"keep-alive"],
            [b"keep-alive", b"close"],
            [b"close, keep-alive"],
            [b"keep-alive, close"],
            [b"x, Close", b"y", b"Keep-Alive"],
            [b"keep-alive", b"close", b"keep-alive"],
        ],
    )
    def test_close_wins_over_keep_alive_in_whatever_field(self, version: bytes, fields: list[bytes]) -> None:
        """`close` in one field was forgotten when a later one said `keep-alive`, and the next
        request was served.
        """
        lines = b"".join(b"Connection: %b\r\n" % field for field in fields)
        driver = Driver().receive(b"GET /x HTTP/%b\r\nHost: a\r\n%b\r\n" % (version, lines), GET).answer()
        assert b"\r\nconnection: close\r\n" in driver.sent
        assert driver.log[1:] == ["linger"]

    def test_by_the_response(self) -> None:
        driver = Driver().receive(GET).answer([(b"connection", b"close")])
        assert b"\r\nconnection: close\r\n" in driver.sent
        assert driver.log[1:] == ["close"]

    def test_by_the_number_of_requests(self) -> None:
        driver = Driver(ServerLimits(requests_per_connection=2), answers=True).receive(GET, GET)
        assert driver.sent.count(b"connection: close") == 1
        assert driver.log[2:] == ["close"]
        assert driver.hits == {"requests_per_connection": 1}

    @pytest.mark.parametrize(
        ("request_", "ahead", "end"),
        [
            (FIVE, b"", []),
            (FIVE, b"ab", []),
            (LARGE, b"", ["linger"]),
            (CHUNKED, b"", ["linger"]),
            (EXPECTING, b"", ["linger"]),
            (LAST, b"GET", ["linger"]),
        ],
    )
    def test_after_an_unread_body(self, request_: bytes, ahead: bytes, end: list[str]) -> None:
        """A short rest is read and dropped; for a long one, or one that may never come, the
        connection ends.
        """
        driver = Driver().receive(request_ + ahead).answer()
        assert driver.log[1:] == end
        assert (b"connection: close" in driver.sent) == bool(end)

    def test_the_next_request_follows_a_dropped_body(self) -> None:
        driver = Driver().receive(FIVE).answer()
        driver.receive(b"abc", b"de" + GET)
        assert [entry[0] for entry in driver.log] == ["POST", "GET"]

    def test_a_response_that_began_early_drops_no_more_than_the_limit(self) -> None:
        driver = Driver(ServerLimits(drain_bytes=10)).receive(CHUNKED).start().send(b"", more=True)
        driver.send(b"").finish()
        assert driver.log[-1] == "linger"

    def test_a_response_until_the_close_ends_with_it(self) -> None:
        driver = Driver().receive(OLD_KEPT).start().send(b"a", more=True).send(b"b")
        assert driver.sent.endswith(b"connection: close\r\n\r\nab")
        assert driver.finish().log[-1] == "close"


class TestPipelining:
    def test_no_second_request_before_the_first_is_answered(self) -> None:
        driver = Driver().receive(GET + LAST)
        assert len(driver.log) == 1
        driver.answer()
        assert len(driver.log) == 2
        assert driver.answer().log[2:] == ["close"]

    def test_what_is_sent_ahead_is_bounded(self) -> None:
        driver = Driver(ServerLimits(pipelined_requests=3)).receive(GET, GET, GET)
        assert not driver.connection.paused
        driver.receive(GET)
        assert driver.connection.paused
        assert driver.hits == {"pipelined_requests": 1}
        for _ in range(4):
            driver.answer()
        assert not driver.connection.paused
        assert driver.connection.buffer == b""

    def test_so_are_its_bytes(self) -> None:
        driver = Driver(ServerLimits(body_buffer=100)).receive(GET, b"x" * 101)
        assert driver.connection.paused

    def test_a_malformed_one_is_refused_in_its_turn(self) -> None:
        driver = Driver().receive(GET + b"\x00\n\n")
        assert len(driver.log) == 1
        assert driver.answer().log[1:] == [400, "linger"]


class TestBackpressure:
    def test_an_unread_body_pauses_the_client(self) -> None:
        driver = Driver(ServerLimits(body_buffer=1000)).receive(LARGE, b"x" * 900)
        assert not driver.connection.paused
        driver.receive(b"x" * 100)
        assert driver.connection.paused
        assert driver.connection.read_deadline == inf
        assert driver.take(100).connection.paused
        assert not driver.take(900).connection.paused
        assert driver.connection.read_deadline == driver.now + LIMITS.body_idle

    def test_single_bytes_fill_the_buffer_before_the_memory(self) -> None:
        driver = Driver(ServerLimits(body_buffer=1000)).receive(LARGE)
        pieces = 0
        while not driver.connection.paused:
            driver.receive(b"x")
            pieces += 1
        assert pieces < 20

    def test_the_rest_after_a_response_is_dropped_unpaused(self) -> None:
        driver = Driver(ServerLimits(body_buffer=1000)).receive(POST + b"Content-Length: 5000\r\n\r\n", b"x" * 2000)
        assert driver.connection.paused
        driver.answer()
        assert not driver.connection.paused
        driver.receive(b"x" * 3000 + GET)
        assert driver.log[-1][0] == "GET"


class TestRefusals:
    @pytest.mark.parametrize(
        ("raw", "status", "counted"),
        [
            (b"GET / HTTP/1.1\r\n\r\n", 400, "refused"),
            (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "refused"),
            (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "refused"),
            (b"GET /" + b"x" * 40000, 414, "head_bytes"),
            (GET[:-2] + b"x: " + b"x" * 40000, 431, "head_bytes"),
            (GET[:-2] + b"x: 1\r\n" * 101 + b"\r\n", 431, "header_count"),
            (POST + b"Content-Length: 1001\r\n\r\n", 413, "body_bytes"),
            (POST + b"Expect: more\r\nContent-Length: 1\r\n\r\n", 417, "refused"),
        ],
    )
    def test_without_the_application(self, raw: bytes, status: int, counted: str) -> None:
        driver = Driver(ServerLimits(body_bytes=1000)).receive(raw)
        assert driver.log == [status, "linger"]
        assert driver.hits == {counted: 1}
        driver.receive(GET)
        assert len(driver.log) == 2, "a byte after a refusal was interpreted"

    @pytest.mark.parametrize(
        ("body", "status", "counted"),
        [
            (b"5\r\nhellox\r\n", 400, "refused"),
            (b"3e9\r\n", 413, "body_bytes"),
            (b"0\r\nx: " + b"x" * 9000, 431, "head_bytes"),
        ],
    )
    def test_of_a_body(self, body: bytes, status: int, counted: str) -> None:
        driver = Driver(ServerLimits(body_bytes=1000)).receive(CHUNKED, body)
        assert driver.log[-1] == ("fault", status)
        assert driver.hits == {counted: 1}
        assert driver.finish().log[-1] == "linger"

    def test_of_a_body_whose_response_is_over(self) -> None:
        driver = Driver().receive(CHUNKED).start().send(b"", more=True)
        driver.receive(b"x\r\n")
        assert driver.log[-1] == ("fault", 400)
        assert driver.send(b"").finish().log[-1] == "linger"

    def test_of_the_connection(self) -> None:
        driver = Driver()
        error = LimitExceeded("connections", "too many connections", 503)
        assert driver.connection.refuse(error, driver.now) == REFUSAL
        assert driver.connection.error is error
        assert driver.receive(GET).log == []


class TestFailures:
    def test_nothing_was_sent(self) -> None:
        driver = Driver().receive(GET).finish()
        assert driver.sent.startswith(b"HTTP/1.1 500 ")
        assert driver.log[-1] == "close"

    @pytest.mark.parametrize(("request_", "end"), [(GET, "close"), (OLD, "reset")])
    def test_a_part_was_sent(self, request_: bytes, end: str) -> None:
        """Chunks end without the last; where only the connection's end is the body's, it has to be
        no regular one.
        """
        driver = Driver().receive(request_).start().send(b"part", more=True).finish()
        assert driver.log[-1] == end
        assert not driver.sent.endswith(b"0\r\n\r\n")


IDLE = replace(LIMITS, keep_alive_idle=7.0, head_time=5.0, body_idle=3.0, linger=2.0, half_closed=4.0, tunnel_idle=6.0)


class TestDeadlines:
    @pytest.mark.parametrize(
        ("before", "seconds", "log", "counted"),
        [
            (lambda driver: driver, 5.0, ["close"], "head_time"),
            (lambda driver: driver.receive(b"GET"), 5.0, [408, "linger"], "head_time"),
            (lambda driver: driver.receive(GET).answer(), 7.0, ["close"], "keep_alive_idle"),
            (lambda driver: driver.receive(GET).answer().receive(b"GET"), 5.0, [408, "linger"], "head_time"),
            (lambda driver: driver.receive(FIVE), 3.0, [("fault", 408)], "body_idle"),
            (lambda driver: driver.receive(FIVE + b"abc"), 3.0, [("fault", 408)], "body_idle"),
            (lambda driver: driver.receive(FIVE).answer(), 2.0, ["close"], None),
            (lambda driver: driver.receive(b"\n"), 2.0, ["close"], "refused"),
            (lambda driver: driver.receive(GET).end(), 4.0, ["cut off"], "half_closed"),
        ],
        ids=["nothing", "head", "idle", "next head", "body", "more body", "draining", "lingering", "half-closed"],
    )
    def test_each_state(
        self, before: Callable[[Driver], Driver], seconds: float, log: list[Any], counted: str | None
    ) -> None:
        driver = before(Driver(IDLE))
        driver.log.clear()
        driver.wait(seconds * 0.9)
        assert driver.log == []
        driver.wait(seconds * 0.2)
        assert driver.log == log
        assert driver.hits == ({} if counted is None else {counted: 1})

    def test_a_head_has_its_time_from_its_first_byte(self) -> None:
        driver = Driver(IDLE).receive(GET).answer().wait(6.0).receive(b"G").wait(4.0).receive(b"E")
        assert driver.wait(1.1).log[-2:] == [408, "linger"]

    def test_answering_takes_any_time(self) -> None:
        driver = Driver(IDLE).receive(GET)
        assert driver.connection.read_deadline == inf

    def test_a_trickle_is_as_idle_as_silence(self) -> None:
        driver = Driver(replace(IDLE, body_progress=3)).receive(LARGE).wait(2.0).receive(b"ab").wait(1.1)
        assert driver.log[-1] == ("fault", 408)

    def test_progress_restarts_the_clock(self) -> None:
        driver = Driver(replace(IDLE, body_progress=3)).receive(LARGE).wait(2.0).receive(b"abc").wait(2.0)
        assert driver.hits == {}

    def test_a_body_has_a_whole_time_too(self) -> None:
        driver = Driver(replace(IDLE, body_time=4.0, body_progress=1)).receive(LARGE)
        driver.wait(2.0).receive(b"x").wait(2.1)
        assert driver.log[-1] == ("fault", 408)
        assert driver.hits == {"body_time": 1}

    def test_a_client_that_waits_for_100_continue_is_not_late(self) -> None:
        driver = Driver(IDLE).receive(EXPECTING)
        assert driver.connection.read_deadline == inf
        assert driver.connection.expects
        driver.connection.await_body(driver.now)
        assert driver.wait(3.1).log[-1] == ("fault", 408)

    @pytest.mark.parametrize("state", [states.BODY, states.TUNNEL])
    def test_whoever_writes_gives_time(self, state: int) -> None:
        driver = at(state, IDLE)
        driver.connection.progressed = True
        assert driver.wait(6.1).log == []
        assert driver.wait(6.1).log != []

    @pytest.mark.parametrize("state", [states.BODY, states.TUNNEL])
    def test_whoever_still_reads_gets_time(self, state: int) -> None:
        driver = at(state, IDLE)
        for _ in range(3):
            assert driver.wait(6.1, still_reads=True).log == []
        assert driver.wait(6.1).log != []

    def test_what_a_client_sends_through_a_tunnel_gives_time(self) -> None:
        driver = at(states.TUNNEL, IDLE).wait(4.0).receive(b"x").wait(2.1)
        assert driver.log == []
        assert driver.wait(6.1).log == ["cut off"]
        assert driver.hits == {"tunnel_idle": 1}

    def test_lingering_goes_on_while_the_answer_is_on_its_way(self) -> None:
        driver = at(states.ENDING, IDLE)
        assert driver.wait(2.1, unsent=True).wait(1.9).log == []
        assert driver.wait(0.2).log == ["close"]


class TestHalfClose:
    @pytest.mark.parametrize(
        ("state", "log"),
        [
            (states.HEAD, ["close"]),
            (states.BODY, [("fault", 400)]),
            (states.ANSWERING, []),
            (states.DRAINING, ["close"]),
            (states.FAILED, []),
            (states.TUNNEL, [(b"", [])]),
            (states.ENDING, ["close"]),
        ],
    )
    def test_in_each_state(self, state: int, log: list[Any]) -> None:
        assert at(state).end().log == log

    def test_amid_a_head(self) -> None:
        assert Driver().receive(b"GET / HT").end().log == [400, "close"]

    def test_what_was_asked_for_is_answered(self) -> None:
        driver = Driver().receive(GET + GET).end()
        assert driver.answer().answer().log[2:] == ["close"]
        assert driver.sent.count(b"200 OK") == 2

    @pytest.mark.parametrize(
        ("ahead", "log"),
        [
            (b"GET / HT", [400, "close"]),
            (FIVE, [("fault", 400), "close"]),
            (FIVE + b"ab", [("fault", 400), "close"]),
            (CHUNKED + b"5\r", [("fault", 400), "close"]),
            (EXPECTING, [("fault", 400), "close"]),
            (POST + b"Content-Length: 400000\r\n\r\n" + b"x" * 300_000, [("fault", 400), "close"]),
        ],
    )
    def test_amid_what_was_sent_ahead(self, ahead: bytes, log: list[Any]) -> None:
        """The end of stream came while an earlier request was answered: it was not looked at
        again.
        """
        driver = Driver(ServerLimits(body_buffer=1 << 20)).receive(GET + ahead).end().answer()
        if driver.log[-1] == ("fault", 400):
            driver.finish()
        assert [entry for entry in driver.log if not (isinstance(entry, tuple) and len(entry) == 4)] == log

    def test_an_ended_client_is_not_paused(self) -> None:
        driver = Driver(ServerLimits(body_buffer=10)).receive(UPGRADE, b"x" * 5).end()
        driver.connection.response.switch(b"websocket", [])
        assert driver.connection.switch(driver.now) == b"x" * 5
        assert driver.connection.complete
        assert not driver.connection.paused


class TestShutdown:
    def test_an_idle_connection_closes(self) -> None:
        assert Driver().receive(GET).answer().wait(RECENT * 1.1).stop().log[1:] == ["close"]

    def test_one_in_full_flow_may_send_one_more(self) -> None:
        driver = Driver().receive(GET).answer().stop()
        assert driver.log[1:] == []
        driver.receive(GET).answer()
        assert driver.sent.endswith(b"connection: close\r\n\r\nok")
        assert driver.log[2:] == ["close"]

    def test_one_that_has_asked_for_nothing_may_ask(self) -> None:
        driver = Driver().wait(1.0).stop()
        assert driver.log == []
        assert driver.close_if_idle().log == ["close"]

    def test_a_request_under_way_is_answered(self) -> None:
        driver = Driver().receive(GET).stop().close_if_idle()
        assert driver.answer().log[1:] == ["close"]
        assert b"connection: close" in driver.sent

    def test_a_head_under_way_is_waited_for(self) -> None:
        driver = Driver().receive(GET).answer().receive(b"GET").wait(1.0).stop().close_if_idle()
        assert driver.log[1:] == []

    def test_a_client_that_could_not_be_told_gets_little_time(self) -> None:
        driver = Driver().receive(GET).start().send(b"a", more=True).stop().send(b"").finish()
        assert b"connection: close" not in driver.sent
        assert driver.connection.read_deadline == driver.now + RECENT
        assert driver.wait(RECENT).log[1:] == ["close"]
        assert driver.hits == {}


class TestUpgrades:
    PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    @pytest.mark.parametrize("cut", range(1, len(PREFACE)))
    def test_the_preface_of_http2(self, cut: int) -> None:
        driver = Driver(upgradable=True).receive(self.PREFACE[:cut], self.PREFACE[cut:] + b"more")
        assert driver.log == ["upgrade"]
        assert driver.connection.data == self.PREFACE + b"more"

    @pytest.mark.parametrize("before", [b"", GET], ids=["not offered", "after a request"])
    def test_the_preface_where_it_has_no_meaning(self, before: bytes) -> None:
        driver = Driver(upgradable=bool(before), answers=True).receive(before + self.PREFACE)
        assert driver.log[-2:] == [505, "linger"]

    def test_a_tunnel_passes_bytes_both_ways_until_both_end(self) -> None:
        driver = Driver().receive(UPGRADE + b"ahead")
        driver.sent += driver.connection.response.switch(b"websocket", [])
        assert driver.sent.startswith(b"HTTP/1.1 101 ")
        assert driver.connection.switch(driver.now) == b"ahead"
        driver.receive(GET)
        assert driver.body == GET
        driver.send(b"down", more=True)
        assert driver.sent.endswith(b"down")
        driver.end().send(b"").finish()
        assert driver.log[-1] == "close"

    def test_a_tunnel_that_is_not_read_stops_the_client(self) -> None:
        driver = at(states.TUNNEL, ServerLimits(body_buffer=100)).receive(b"x" * 200)
        assert driver.connection.paused
        assert not driver.take(200).connection.paused

    def test_a_tunnel_that_breaks_off_is_reset(self) -> None:
        assert at(states.TUNNEL).finish().log == ["reset"]
