"""What the record of a sampled call tells of how it ended."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc
import pytest

from sentinel_host.config import load_config
from sentinel_host.embedding import serve_gateway
from sentinel_host.gateway.app import create_app
from tests.grpc.service import NAME, running_service
from tests.support.clocks import PATIENCE
from tests.support.gateways import write_config

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[tracing]
share = 1.0

[[upstream]]
name = "services"
targets = ["{target}"]
protocol = "http/2"

[[upstream]]
name = "away"
targets = ["http://127.0.0.1:1"]
protocol = "http/2"

[[route]]
path = "/test.Echo"
upstream = "services"

[[route]]
path = "/test.Away"
upstream = "away"
"""


def test_a_record_has_the_status_of_the_call(tmp_path: Path) -> None:
    """Of trailers, of a response of trailers only, and of what the gateway answers itself."""

    def call(address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            channel.unary_unary(f"/{NAME}/Unary")(b"a", timeout=PATIENCE)
            for method in (f"/{NAME}/Fail", f"/{NAME}/Unknown", "/test.Away/Unary"):
                with pytest.raises(grpc.RpcError):
                    channel.unary_unary(method)(b"a", timeout=PATIENCE)

    async def main(target: str) -> None:
        config = load_config(write_config(tmp_path, CONFIG.format(target=target)))
        gateway = create_app(config)
        async with serve_gateway(gateway, config) as served:
            await asyncio.to_thread(call, served.urls[0].removeprefix("http://"))
            ring = gateway.recorder.ring
            end = time.monotonic() + PATIENCE
            while ring.next < 4:
                assert time.monotonic() < end, f"{ring.next} records, not 4"
                await asyncio.sleep(0.01)
        found = {record.path: record.grpc_status for record in ring.after(0).decoded()}
        assert found == {f"/{NAME}/Unary": 0, f"/{NAME}/Fail": 9, f"/{NAME}/Unknown": 12, "/test.Away/Unary": 14}

    with running_service() as (_, target):
        asyncio.run(main(target))
