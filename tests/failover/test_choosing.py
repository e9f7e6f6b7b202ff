"""Which endpoint a request goes to: policies, sticky clients, hedges, the breaker."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from sentinel_host.config import Seconds
from sentinel_host.config.upstreams import BreakerConfig, RetryConfig, StickyConfig, TargetConfig
from sentinel_host.errors import UpstreamOverloaded, UpstreamTimeout
from tests.failover.support import Server, call, group, ok, silence, status
from tests.upstream.support import eventually


@pytest.mark.parametrize("policy", ["least-requests", "round-robin", "random", "hash"])
def test_requests_follow_the_weights(run, policy):
    async def main():
        servers = [Server(), Server()]
        for server in servers:
            await server.start()
        targets = [TargetConfig(servers[0].url, 3), servers[1].url]
        async with group(0, targets=targets, balance=policy) as web:
            for number in range(400):
                await web.ask(hash=number * 7919)
            assert 260 <= servers[0].requests <= 340
        for server in servers:
            await server.stop()

    run(main)


def test_a_slow_endpoint_gets_fewer_requests(run):
    async def main():
        async with group(3) as web:
            web.servers[0].answer = silence
            held = [asyncio.create_task(web.upstream.send(call())) for _ in range(30)]
            await eventually(lambda: sum(web.requests()) == 30)
            before = web.requests()[0]
            await web.statuses(100)
            # Whatever waits there counts against it, whichever of two others it is compared with.
            assert web.requests()[0] == before
            for task in held:
                task.cancel()
            await asyncio.wait(held)
            assert web.upstream.counts.active == 0

    run(main)


def test_one_that_comes_back_gets_little_at_first(run):
    async def main():
        async with group(2, slow_start=Seconds(3600), balance="random") as web:
            # Those that are there from the start need no warming up.
            await web.statuses(100)
            assert min(web.requests()) > 20
            web.table.checked(web.key(0), healthy=False)
            web.table.checked(web.key(0), healthy=True)
            before = web.requests()[0]
            await web.statuses(400)
            assert 0 < web.requests()[0] - before < 100

    run(main)


@pytest.mark.parametrize(("panic", "used"), [(50, 4), (25, 1), (0, 1)])
def test_below_the_threshold_all_are_used(run, panic, used):
    async def main():
        async with group(4, panic=panic) as web:
            for number in range(3):
                web.table.checked(web.key(number), healthy=False)
            await web.statuses(100)
            assert sum(count > 0 for count in web.requests()) == used

    run(main)


def test_a_client_stays_on_its_endpoint(run):
    async def main():
        async with group(3, sticky=StickyConfig("backend", secret="s")) as web:
            first = call()
            (await web.upstream.send(first)).abort()
            name, value = first.cookie
            assert name == b"set-cookie"
            cookie = (b"cookie", value.split(b";")[0])
            for _ in range(20):
                again = call(headers=[cookie])
                (await web.upstream.send(again)).abort()
                assert again.endpoint is first.endpoint
                # It is not set again and again.
                assert again.cookie is None

    run(main)


@pytest.mark.parametrize("why", ["killed", "drained", "forged"])
def test_a_client_whose_endpoint_may_not_be_used_gets_another(run, why):
    async def main():
        async with group(3, sticky=StickyConfig("backend")) as web:
            first = call()
            (await web.upstream.send(first)).abort()
            cookie = first.cookie[1].split(b";")[0]
            if why == "killed":
                await next(server for server in web.servers if server.url == first.endpoint.name).stop()
            elif why == "drained":
                web.table.drain(first.endpoint.key, True)
            else:
                cookie = cookie[:-4] + b"AAAA"
            again = call(headers=[(b"cookie", cookie)])
            (await web.upstream.send(again)).abort()
            assert again.cookie[1].startswith(b"backend=")
            if why != "forged":
                assert again.endpoint is not first.endpoint

    run(main)


def test_clients_of_a_hash_stay_where_they_are_while_others_come_and_go(run):
    async def main():
        async with group(3, balance="hash") as web:
            places = {}
            for number in range(60):
                asked = call(hash=number * 104729)
                (await web.upstream.send(asked)).abort()
                places[number] = asked.endpoint
            assert len(Counter(places.values())) == 3
            lost = places[0]
            web.table.drain(lost.key, True)
            for number, before in places.items():
                asked = call(hash=number * 104729)
                (await web.upstream.send(asked)).abort()
                assert (asked.endpoint is before) is (before is not lost)

    run(main)


def test_a_hedge_answers_for_one_that_stands_still(run):
    async def main():
        async with group(2) as web:
            web.servers[0].answer = silence
            for _ in range(10):
                asked = call(hedge_after=0.01)
                before = web.upstream.counts.hedges
                response = await web.upstream.send(asked)
                assert response.status == 200
                assert asked.tries == 1 + web.upstream.counts.hedges - before
                assert asked.endpoint.name == web.servers[1].url
                response.abort()
            assert web.upstream.counts.hedges >= 1
            await eventually(lambda: web.upstream.counts.active == 0)

    run(main)


@pytest.mark.parametrize("first", ["answers", "fails"])
def test_whichever_of_two_tries_answers_serves(run, first):
    """The first try is slow, the second slower; a failure of the first waits for the second."""
    gate: asyncio.Event

    async def slow(reader, writer, head):
        await gate.wait()
        await (ok if first == "answers" else status(500))(reader, writer, head)

    async def main():
        nonlocal gate
        gate = asyncio.Event()
        async with group(2, retry=True) as web:
            for server in web.servers:
                server.answer = slow
            asked = asyncio.create_task(web.upstream.send(call(hedge_after=0.001)))
            await eventually(lambda: sum(web.requests()) >= 2)
            gate.set()
            assert (await asked).status == (200 if first == "answers" else 500)
            (await asked).abort()
            await eventually(lambda: web.upstream.counts.active == 0)

    run(main)


def test_a_request_that_ends_in_a_pause_gives_its_last_answer_up(run):
    async def unfinished(reader, writer, head):
        writer.write(b"HTTP/1.1 503 X\r\nContent-Length: 10\r\n\r\n")

    async def main():
        async with group(2, retry=RetryConfig(backoff=Seconds(900), max_backoff=Seconds(900))) as web:
            for server in web.servers:
                server.answer = unfinished
            with pytest.raises(UpstreamTimeout):
                await web.upstream.send(call(timeout=0.2))
            assert web.upstream.counts.active == 0
            assert all(endpoint.pool.open == 0 for endpoint in web.upstream.endpoints)

    run(main)


def test_what_may_not_be_repeated_is_not_hedged(run):
    async def main():
        async with group(2) as web:
            web.servers[0].answer = web.servers[1].answer = silence
            post, get = call(b"POST", hedge_after=0.001), call(hedge_after=0.001)
            held = [asyncio.create_task(web.upstream.send(post))]
            await eventually(lambda: sum(web.requests()) == 1)
            held.append(asyncio.create_task(web.upstream.send(get)))
            # By then, a second try of the first would have begun.
            await eventually(lambda: web.upstream.counts.hedges == 1)
            assert (post.tries, get.tries) == (1, 1)
            await eventually(lambda: sum(web.requests()) == 3)
            for task in held:
                task.cancel()
            await asyncio.wait(held)
            assert (post.tries, get.tries) == (1, 2)

    run(main)


def test_the_breaker_refuses_at_once(run):
    async def main():
        async with group(2, breaker=BreakerConfig(max_requests=4)) as web:
            for server in web.servers:
                server.answer = silence
            held = [asyncio.create_task(web.upstream.send(call())) for _ in range(4)]
            await eventually(lambda: sum(web.requests()) >= 4)
            with pytest.raises(UpstreamOverloaded) as raised:
                await web.ask()
            assert (raised.value.status, raised.value.retry_after) == (503, 1)
            assert web.upstream.counts.overloads == 1
            for task in held:
                task.cancel()
            await asyncio.wait(held)
            web.servers[0].answer = web.servers[1].answer = ok
            assert await web.ask() == 200

    run(main)


def test_a_crowd_that_waits_for_connections_is_bounded(run):
    async def main():
        async with group(1, connections=1, breaker=BreakerConfig(max_pending=3)) as web:
            web.servers[0].answer = silence
            held = [asyncio.create_task(web.upstream.send(call())) for _ in range(4)]
            await eventually(lambda: web.upstream.endpoints[0].pool.waiting >= 3)
            with pytest.raises(UpstreamOverloaded, match="3 requests wait for a connection"):
                await web.ask()
            for task in held:
                task.cancel()
            await asyncio.wait(held)

    run(main)
