"""What is known of a name: the last good answer, and the order in which addresses are tried."""

from __future__ import annotations

import asyncio

import pytest

from sentinel_host.net import Addresses, Remembered, UnresolvedName
from sentinel_host.net.addresses import AGAIN, GRACE, SHORTEST
from sentinel_host.net.names import Found

NO_SUCH_NAME = UnresolvedName("no such name", negative=True)
FAILURE = UnresolvedName("the server failed", negative=False)


class Service:
    """A name service that gives ``answer`` for any name, or never while that is None; and a
    clock.
    """

    def __init__(self, answer: list[str] | UnresolvedName | None, ttl: int = 10) -> None:
        self.answer = answer
        self.ttl = ttl
        self.asked = 0
        self.now = 1000.0
        self.remembered = Remembered()

    async def look_up(self, host: str) -> Found:
        assert host == "some.test"
        self.asked += 1
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, UnresolvedName):
            raise self.answer
        return Found(list(self.answer), self.ttl)

    def addresses(self, host: str = "some.test", ttl: float = 30.0) -> Addresses:
        return Addresses(host, self, ttl, clock=lambda: self.now)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_is_not_looked_up(run, host):
    async def main():
        service = Service(FAILURE)
        addresses = service.addresses(host)
        addresses.doubt()
        addresses.failed(host)
        assert await addresses.find() == [host]
        assert service.asked == 0

    run(main)


@pytest.mark.parametrize(("said", "believed"), [(0, SHORTEST), (10, 10.0), (86400, 30.0)])
def test_an_answer_is_believed_for_its_time(run, said, believed):
    async def main():
        service = Service(["192.0.2.1"], said)
        addresses = service.addresses()
        assert await addresses.find() == ["192.0.2.1"]
        service.answer = ["192.0.2.2"]
        service.now += believed - 0.01
        assert await addresses.find() == ["192.0.2.1"]
        service.now += 0.01
        assert await addresses.find() == ["192.0.2.2"]
        assert service.asked == 2

    run(main)


@pytest.mark.parametrize(("answer", "after_the_grace"), [(FAILURE, ["192.0.2.7"]), (NO_SUCH_NAME, None)])
def test_what_others_have_found_is_used_while_the_name_service_fails(run, answer, after_the_grace):
    async def main():
        service = Service(answer)
        service.remembered.addresses["some.test"] = ["192.0.2.7"]
        addresses = service.addresses()
        addresses.learn()
        assert await addresses.find() == ["192.0.2.7"]
        assert service.asked == 1
        service.now += GRACE
        if after_the_grace is None:
            with pytest.raises(UnresolvedName):
                await addresses.find()
        else:
            assert await addresses.find() == after_the_grace

    run(main)


def test_what_others_have_found_gives_way_to_an_answer(run):
    async def main():
        service = Service(["192.0.2.1"])
        service.remembered.addresses["some.test"] = ["192.0.2.7"]
        assert await service.addresses().find() == ["192.0.2.1"]

    run(main)


def test_callers_share_one_look_up(run):
    async def main():
        service = Service(None)
        addresses = service.addresses()
        waiting = [asyncio.create_task(addresses.find()) for _ in range(10)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert (service.asked, waiting[0].cancelled(), any(task.done() for task in waiting[1:])) == (1, True, False)
        addresses.close()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)

    run(main)


def test_without_an_address_from_before_a_failure_is_told(run):
    async def main():
        service = Service(FAILURE)
        addresses = service.addresses()
        for _ in range(2):
            with pytest.raises(UnresolvedName, match="the server failed"):
                await addresses.find()
        assert service.asked == 2
        service.answer = ["192.0.2.1"]
        assert await addresses.find() == ["192.0.2.1"]

    run(main)


def test_addresses_stay_while_the_name_service_fails(run, caplog):
    """An address that was known was not used once its name could not be resolved again."""

    async def main():
        service = Service(["192.0.2.1"])
        addresses = service.addresses()
        await addresses.find()
        service.answer = FAILURE
        for _ in range(1000):
            service.now += AGAIN + 10
            assert await addresses.find() == ["192.0.2.1"]
            assert await addresses.find() == ["192.0.2.1"]  # asked once in so many seconds
        assert service.asked == 1001
        service.answer = ["192.0.2.2"]
        service.now += AGAIN
        assert await addresses.find() == ["192.0.2.2"]

    run(main)
    assert [record.getMessage() for record in caplog.records] == [
        "some.test cannot be looked up, its last addresses are used: the server failed",
        "some.test can be looked up again",
    ]


def test_a_name_service_that_keeps_silent_delays_one_caller_for_a_moment(run):
    async def main():
        service = Service(["192.0.2.1"])
        addresses = service.addresses()
        await addresses.find()
        service.answer = None
        service.now += 10
        assert await addresses.find() == ["192.0.2.1"]
        service.now += 1
        for _ in range(1000):
            assert await addresses.find() == ["192.0.2.1"]
        assert service.asked == 2
        addresses.close()

    run(main)


def test_a_name_that_is_gone_is_used_for_a_while_and_no_longer(run):
    """Its address may be somebody else's by then."""

    async def main():
        service = Service(["192.0.2.1"])
        addresses = service.addresses()
        await addresses.find()
        service.answer = NO_SUCH_NAME
        service.now += 10 + GRACE - 1
        assert await addresses.find() == ["192.0.2.1"]
        service.now += AGAIN
        with pytest.raises(UnresolvedName, match="no such name"):
            await addresses.find()
        service.answer = FAILURE
        with pytest.raises(UnresolvedName):
            await addresses.find()

    run(main)


def test_a_name_can_be_learned_before_it_is_needed(run):
    """A worker that had not used an upstream had no address of it when the name service failed;
    others had.
    """

    async def main():
        service = Service(["192.0.2.1"])
        addresses = service.addresses()
        addresses.learn()
        await addresses.find()
        assert service.asked == 1
        service.answer = None
        addresses.learn()
        service.now += 10
        assert await addresses.find() == ["192.0.2.1"]
        assert service.asked == 2
        addresses.close()
        service.addresses("192.0.2.1").learn()

    run(main)


def test_doubt_asks_at_once(run):
    async def main():
        service = Service(["192.0.2.1"])
        addresses = service.addresses()
        await addresses.find()
        addresses.doubt()
        service.answer = ["192.0.2.2"]
        assert await addresses.find() == ["192.0.2.2"]
        addresses.doubt()
        service.answer = FAILURE
        assert await addresses.find() == ["192.0.2.2"]

    run(main)


def test_families_take_turns(run):
    async def main():
        service = Service(["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"])
        assert await service.addresses().find() == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]
        service.answer = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        assert await service.addresses().find() == ["192.0.2.1", "2001:db8::1", "192.0.2.2"]

    run(main)


def test_what_worked_comes_first_and_what_failed_last(run):
    async def main():
        service = Service(["192.0.2.1", "192.0.2.2", "192.0.2.3"])
        addresses = service.addresses()
        one, two, three = await addresses.find()
        addresses.failed(one)
        addresses.worked(two)
        assert await addresses.find() == [two, three, one]
        addresses.failed(two)
        assert await addresses.find() == [three, one, two]
        addresses.failed(three)
        addresses.failed(one)
        assert await addresses.find() == [two, three, one]
        service.now += 10
        service.answer = [one, "192.0.2.4", two]
        assert await addresses.find() == ["192.0.2.4", two, one]
        addresses.worked(one)
        assert await addresses.find() == [one, "192.0.2.4", two]

    run(main)
