"""One endpoint of three fails in every way there is: clients notice nothing, and it gets no more
requests.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sentinel_host.config.upstreams import EjectConfig, RetryConfig
from sentinel_host.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable
from tests.failover.support import (
    broken_body,
    call,
    garbage,
    group,
    ok,
    refusing_port,
    reset,
    silence,
    status,
)

EAGER = RetryConfig(backoff=0.0)
FAILING = {
    "resets": reset,
    "answers garbage": garbage,
    "502": status(502),
    "503": status(503),
    "504": status(504),
}


@pytest.mark.parametrize("how", FAILING)
def test_idempotent_requests_do_not_notice_and_the_endpoint_is_ejected(run, how):
    async def main():
        async with group(retry=EAGER) as web:
            web.servers[0].answer = FAILING[how]
            assert await web.statuses(60) == {200: 60}
            state = web.state(0)
            assert state.ejected_for > 0
            needed = 5 if how.isdigit() else 2
            assert web.requests()[0] == state.failures == needed
            assert web.ejections() == 1

    run(main)


def test_one_that_is_killed_gets_nothing_until_it_is_back(run):
    async def main():
        async with group(eject=EjectConfig(time=0.2)) as web:
            assert await web.statuses(30) == {200: 30}
            await web.servers[1].stop()
            before = web.requests()[1]
            assert await web.statuses(60) == {200: 60}
            # On a busy machine, the time is over already, and it was asked in vain again.
            assert web.requests()[1] == before
            assert web.state(1).ejections > 0
            await web.servers[1].start()
            while web.requests()[1] == before:
                assert await web.ask() == 200

    run(main)


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PATCH"])
def test_what_was_not_sent_goes_elsewhere_whatever_its_method(run, method):
    async def main():
        async with group(2) as web:
            await web.servers[0].stop()
            assert await web.statuses(20, method=method) == {200: 20}
            assert web.upstream.counts.retries >= 2

    run(main)


PAUSE = status(503, b"Retry-After: 3600")


async def pause(web, number):
    """Have an endpoint ask for no retries."""
    server = web.servers[number]
    server.answer, before = PAUSE, server.requests
    while server.requests == before:
        await web.ask()


async def where(web, **more):
    """The status of a request, and the numbers of the endpoints that were asked, in turn."""
    asked = call(**more)
    response = await web.upstream.send(asked)
    response.abort()
    numbers = {server.url: number for number, server in enumerate(web.servers)}
    failed = [numbers[name] for name, *_ in asked.tried or []]
    return response.status, failed if response.status >= 500 else [*failed, numbers[asked.endpoint.name]]


BOUNDLESS = RetryConfig(backoff=0.0, budget=100, least=10_000)


@pytest.mark.parametrize("how", ["resets", "503"])
def test_retries_leave_out_an_endpoint_that_asks_for_a_pause(run, how):
    async def main():
        async with group(3, eject=False, retry=BOUNDLESS) as web:
            await pause(web, 0)
            web.servers[1].answer = FAILING[how]
            tries = [await where(web) for _ in range(60)]
            assert {status for status, _ in tries} == {200}
            # It gets requests as ever, and no retry.
            assert {asked[0] for _, asked in tries} == {0, 1, 2}
            assert all(0 not in asked[1:] for _, asked in tries)

    run(main)


def test_a_pause_ends_when_the_endpoint_answers_well(run):
    async def main():
        async with group(2, eject=False, retry=BOUNDLESS) as web:
            await pause(web, 0)
            web.servers[1].answer = status(503)
            web.servers[0].answer = ok
            tries = []
            while (200, [1, 0]) not in tries:
                tries.append(await where(web))
            # Until a request was sent to it first, it got no retry.
            first = tries.index((200, [0]))
            assert tries[:first] == [(503, [1])] * first

    run(main)


def test_when_all_ask_for_a_pause_nobody_is_asked_twice(run):
    async def main():
        async with group(3, eject=False, retry=BOUNDLESS) as web:
            for number in range(3):
                await pause(web, number)
            before = sum(web.requests())
            response = await web.upstream.send(call())
            assert (response.status, dict(response.headers)[b"retry-after"]) == (503, b"3600")
            response.abort()
            assert sum(web.requests()) == before + 1
            assert web.upstream.counts.retries_denied == 0

    run(main)


def test_what_was_not_sent_goes_also_to_one_that_asks_for_a_pause(run):
    async def main():
        async with group(2, eject=False, retry=BOUNDLESS) as web:
            await pause(web, 0)
            await web.servers[1].stop()
            web.servers[0].answer = ok
            assert await web.statuses(10, method=b"POST") == {200: 10}

    run(main)


@pytest.mark.parametrize("how", ["resets", "503"])
def test_what_may_have_had_an_effect_is_not_sent_twice(run, how):
    async def main():
        async with group(3, eject=False, retry=EAGER) as web:
            for server in web.servers:
                server.answer = FAILING[how]
            for _ in range(9):
                if how == "503":
                    assert await web.ask(b"POST") == 503
                else:
                    with pytest.raises(UpstreamError, match="closed before a response"):
                        await web.ask(b"POST")
            assert sum(web.requests()) == 9


def test_a_route_may_say_that_a_method_is_repeatable(run):
    async def main():
        async with group(3, eject=False, retry=EAGER) as web:
            for server in web.servers[:2]:
                server.answer = status(503)
            assert await web.statuses(9, method=b"POST", repeatable=True) == {200: 9}

    run(main)


def test_one_that_stands_still_is_left_after_the_time_of_a_try(run):
    async def main():
        async with group(3) as web:
            web.servers[2].answer = silence
            assert await web.statuses(30, per_try_timeout=1.0) == {200: 30}
            assert web.requests()[2] == 2
            assert web.state(2).ejected_for > 0

    run(main)


def test_the_time_of_a_request_covers_all_its_tries(run):
    async def main():
        async with group(3, eject=False) as web:
            for server in web.servers:
                server.answer = silence
            with pytest.raises(UpstreamTimeout, match=r"no response within 2\.4 s"):
                await web.upstream.send(call(timeout=2.4, per_try_timeout=1.6))
            assert sum(web.requests()) == 2
            assert web.upstream.counts.active == 0

    run(main)


def test_a_body_that_breaks_off_is_reported_and_counted_once(run):
    async def main():
        async with group(1) as web:
            web.servers[0].answer = broken_body
            with pytest.raises(UpstreamError, match="broke off"):
                await web.ask()
            assert web.requests() == [1]
            assert web.state(0).active == 0

    run(main)


async def half(reader, writer, head):
    """A body that stands still."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


async def head_alone(reader, writer, head):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    await writer.drain()
    await reset(reader, writer, head)


@pytest.mark.parametrize(
    "how", [broken_body, head_alone, half], ids=["breaks off", "resets after the head", "stands still"]
)
def test_one_that_breaks_bodies_off_is_ejected_once_several_clients_saw_it(run, how):
    """Every head counted as a success, so that an endpoint that never finished a body kept its
    share.
    """

    async def main():
        async with group(3, idle_timeout=0.05) as web:
            web.servers[0].answer = how
            broken = 0
            for number in range(60):
                try:
                    assert await web.ask(client=f"192.0.2.{number}") == 200
                except UpstreamError:
                    broken += 1
            assert broken == web.requests()[0] == 2
            assert web.state(0).ejected_for > 0
            assert web.state(0).active == web.upstream.counts.active == 0

    run(main)


def test_broken_bodies_of_one_client_eject_no_endpoint(run):
    async def main():
        async with group(3) as web:
            web.servers[0].answer = broken_body
            for _ in range(30):
                with contextlib.suppress(UpstreamError):
                    await web.ask()
            assert web.requests()[0] > 2
            assert web.ejections() == 0

    run(main)


def test_a_whole_body_between_two_broken_ones_counts_as_success(run):
    async def main():
        async with group(2, eject=EjectConfig(share=0.0)) as web:
            web.servers[0].answer = broken_body
            number = 0
            while web.requests()[0] < 6:
                number += 1
                with contextlib.suppress(UpstreamError):
                    await web.ask(client=f"192.0.2.{number}")
                web.servers[0].answer = ok if web.requests()[0] % 2 else broken_body
            assert web.state(0).failures == 3
            assert web.ejections() == 0

    run(main)


def test_an_abandoned_response_does_not_count_against_its_endpoint(run):
    async def main():
        async with group(2) as web:
            for server in web.servers:
                server.answer = half
            for number in range(20):
                (await web.upstream.send(call(client=f"192.0.2.{number}"))).abort()
            assert [web.state(number).failures for number in range(2)] == [0, 0]
            assert web.upstream.counts.active == 0

    run(main)


def test_all_endpoints_refuse(run):
    async def main():
        async with group(3, retry=EAGER) as web:
            for server in web.servers:
                await server.stop()
            for _ in range(5):
                with pytest.raises(UpstreamUnavailable) as raised:
                    await web.ask()
                assert (raised.value.status, raised.value.kind) == (503, "unavailable")
                assert raised.value.retry_after >= 1
            assert web.upstream.counts.active == 0
            await web.servers[1].start()
            assert await web.statuses(20) == {200: 20}

    run(main)


def test_no_pause_is_made_before_what_was_not_sent_goes_elsewhere(run):
    """When all endpoints refuse, a third try waited for up to 50 ms."""

    async def main():
        async with group(3, retry=RetryConfig(tries=3, backoff=1e6, max_backoff=1e6)) as web:
            for server in web.servers:
                await server.stop()
            with pytest.raises(UpstreamUnavailable):
                await web.ask()

    run(main)


def test_all_endpoints_are_down(run):
    async def main():
        async with group(2) as web:
            for endpoint in web.upstream.endpoints:
                web.table.checked(endpoint.key, healthy=False)
            with pytest.raises(UpstreamUnavailable, match="all endpoints are down"):
                await web.ask()
            assert web.requests() == [0, 0]
            web.table.checked(web.upstream.endpoints[1].key, healthy=True)
            assert await web.statuses(5) == {200: 5}
            assert web.requests() == [0, 5]

    run(main)


def test_a_single_endpoint_that_refuses_is_a_bad_gateway(run):
    async def main():
        async with group(0, targets=[f"http://127.0.0.1:{refusing_port()}"]) as web:
            with pytest.raises(UpstreamError) as raised:
                await web.ask()
            assert (raised.value.status, raised.value.kind) == (502, "connect")

    run(main)


def test_one_client_that_makes_requests_fail_takes_nothing_from_others(run):
    """Its requests fail wherever they go: that is their fault, and nobody's who answers others."""

    async def poisoned(reader, writer, head):
        if b"x-poison" in head:
            await reset(reader, writer, head)
        await ok(reader, writer, head)

    async def main():
        async with group(3, retry=EAGER) as web:
            for server in web.servers:
                server.answer = poisoned
            for _ in range(30):
                with pytest.raises(UpstreamError):
                    await web.ask(client="203.0.113.9", headers=[(b"x-poison", b"1")])
            assert web.ejections() == 0
            assert await web.statuses(30) == {200: 30}
            assert min(web.requests()) > 0

    run(main)


def test_what_fails_for_several_clients_is_ejected_without_a_retry(run):
    async def main():
        async with group(2, retry=False) as web:
            web.servers[0].answer = status(500)
            for number in range(40):
                await web.ask(b"POST", client=f"192.0.2.{number}")
            assert web.state(0).ejected_for > 0
            assert web.requests()[0] == 5

    run(main)


def test_one_that_fails_now_and_then_stands_out(run):
    async def main():
        async with group(3, retry=EAGER, eject=EjectConfig(failures=0, server_errors=0, share=0.3)) as web:
            every_second = [0]

            async def flaky(reader, writer, head):
                every_second[0] += 1
                await (status(503) if every_second[0] % 2 else ok)(reader, writer, head)

            web.servers[0].answer = flaky
            ejected = 0
            for _ in range(3000):
                assert await web.ask() == 200
                ejected = web.ejections()
                if ejected:
                    break
                await asyncio.sleep(0.002)
            assert ejected == 1
            assert web.state(0).ejected_for > 0

    run(main)


def test_a_storm_of_failures_is_not_made_worse(run):
    async def main():
        async with group(3, eject=False, retry=RetryConfig(backoff=0.001, max_backoff=0.001)) as web:
            for server in web.servers:
                server.answer = status(503)
            results = await asyncio.gather(*(web.ask() for _ in range(600)))
            assert set(results) == {503}
            assert sum(web.requests()) <= 600 * 1.2 + 30
            assert web.upstream.counts.retries_denied > 0

    run(main)


def test_endpoints_beyond_the_tables_rows_are_not_used(run, caplog):
    async def main():
        async with group(3, rows=2) as web:
            assert await web.statuses(20) == {200: 20}
            used = [server for server in web.servers if server.requests]
            assert len(used) == len(web.upstream.endpoints) == 2

    run(main)
    assert [record.getMessage().partition(" is not used: ")[2] for record in caplog.records] == [
        "the table of endpoints is full"
    ]
