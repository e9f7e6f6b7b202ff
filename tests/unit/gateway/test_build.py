"""What the builder makes of a configuration."""

from __future__ import annotations

import asyncio

from sentinel_host.config import HttpClientConfig
from sentinel_host.config.load import parse_config
from sentinel_host.gateway.build import Builder
from sentinel_host.gateway.outbound import Outbound
from tests.support.names import KnownNames

CONFIG = """
[[upstream]]
name = "origin"
targets = ["http://one.test", "https://two.test", "http://192.0.2.1"]

[[route]]
path = "/"
upstream = "origin"
"""


def test_names_are_looked_up_before_the_first_request() -> None:
    """A worker that had not used an upstream had no address of it when the name service failed."""

    async def main() -> None:
        names = KnownNames({"one.test": ["192.0.2.1"], "two.test": ["192.0.2.2"], "auth.test": ["192.0.2.3"]})
        builder = Builder(names=names)
        generation = await builder.build(parse_config(CONFIG, "gw.toml"), {}, {})
        outbound = Outbound("guest", HttpClientConfig(allow=["http://auth.test"]), None, names)
        await asyncio.sleep(0)
        assert names.asked == []
        builder.learn(generation)
        outbound.learn()
        # A turn for the task that follows a name, and one for the look-up.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sorted(names.asked) == ["auth.test", "one.test", "two.test"]
        await asyncio.sleep(0)
        builder.learn(generation)
        await asyncio.sleep(0)
        assert len(names.asked) == 3
        await builder.free(generation)
        await outbound.close()

    asyncio.run(main())
