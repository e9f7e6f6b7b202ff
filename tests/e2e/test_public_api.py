"""What `sentinel_host` promises to programs that have a gateway inside, as such a program uses
it.
"""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import sentinel_host
from sentinel_host import Config, ConfigError, SentinelError, create_app, load_config, serve
from tests.support.clients import fetch
from tests.support.gateways import write_config
from tests.support.upstreams import Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "origin"
targets = ["{target}"]

[[route]]
path = "/"
upstream = "origin"
"""


@pytest.fixture
def file(tmp_path: Path, origin: Upstream) -> Path:
    return write_config(tmp_path, CONFIG.format(target=origin.url))


def test_every_name_is_there_and_documented() -> None:
    assert dir(sentinel_host) == sorted(sentinel_host.__all__)
    for name in sentinel_host.__all__:
        assert f"``{name}``" in (sentinel_host.__doc__ or "") or name == "ServedGateway", name
        assert getattr(sentinel_host, name).__doc__, name
    assert sentinel_host.__version__ == version("sentinel-host")
    with pytest.raises(AttributeError, match="has no attribute 'gateways'"):
        sentinel_host.gateways  # noqa: B018


def test_importing_the_package_loads_no_engine() -> None:
    code = "import sys, sentinel_host; sentinel_host.SentinelError; print('wasmtime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"False\n"


def test_a_program_serves_a_gateway(file: Path) -> None:
    async def main() -> None:
        config = load_config(file)
        assert isinstance(config, Config)
        async with serve(config) as gateway:
            (url,) = gateway.urls
            host, port = url.removeprefix("http://").split(":")
            answer = await asyncio.to_thread(fetch, (host, int(port)), "/hello")
            assert answer.status == 200
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, int(port))

    asyncio.run(main())


def test_an_application_answers_over_plain_asgi(file: Path) -> None:
    app = create_app(file)

    async def main() -> list[object]:
        lifespan: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        said: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        lifespan.put_nowait({"type": "lifespan.startup"})
        living = asyncio.create_task(app({"type": "lifespan", "asgi": {}, "state": {}}, lifespan.get, said.put))
        assert (await said.get())["type"] == "lifespan.startup.complete"
        sent: list[dict[str, object]] = []

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "raw_path": b"/hello",
            "path": "/hello",
            "query_string": b"",
            "headers": [(b"host", b"example.org")],
            "client": ("192.0.2.1", 1),
            "extensions": {"sentinel.cancel_on_disconnect": {}},
        }
        await app(scope, receive, send)
        lifespan.put_nowait({"type": "lifespan.shutdown"})
        await living
        return [sent[0]["status"], sent[-1]["type"]]

    assert asyncio.run(main()) == [200, "http.response.body"]


def test_faults_name_file_and_key(tmp_path: Path) -> None:
    file = write_config(tmp_path, CONFIG.format(target="gopher://nowhere"))
    with pytest.raises(ConfigError, match=r"sentinel\.toml: upstream\[0\]\.targets"):
        load_config(file)
    assert issubclass(ConfigError, SentinelError)


def test_an_address_in_use_is_a_fault_of_the_configuration(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        file.write_text(file.read_text().replace("127.0.0.1:0", address))

        async def main() -> None:
            with pytest.raises(ConfigError, match=re.escape(address)):
                async with serve(file):
                    raise AssertionError("it serves")

        asyncio.run(main())
