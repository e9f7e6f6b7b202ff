"""A browser's WebSocket through the gateway: on HTTP/1.1, and on the HTTP/2 connection that its
page came over.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from sentinel_host.authoring import debian
from tests.support.certificates import self_signed
from tests.support.clocks import PATIENCE
from tests.support.gateways import sentinel_run, write_config
from tests.upgrades.conftest import CONFIG, GUESTS
from tests.upgrades.servers import serving

PACKAGE = "chromium-headless-shell"
# Says what it saw by asking for /said, as nothing else of a browser without a screen can be seen
# from outside.
PAGE = """<!doctype html><script>
const socket = new WebSocket(location.origin.replace("http", "ws") + "/echo", ["other", "chat"]);
const sent = ["hello", "\\u00fcml\\u00e4ut", "x".repeat(100000)], got = [];
socket.binaryType = "arraybuffer";
socket.onopen = () => { sent.forEach(text => socket.send(text)); socket.send(new Uint8Array([0, 255]).buffer); };
socket.onmessage = event => {
  got.push(typeof event.data === "string" ? event.data : Array.from(new Uint8Array(event.data)));
  if (got.length === 4) socket.send("close");
};
socket.onclose = event => fetch("/said?" + encodeURIComponent(JSON.stringify({
  echoed: got.slice(0, 3).every((text, index) => text === sent[index]), bytes: got[3],
  protocol: socket.protocol, code: event.code, reason: event.reason,
})));
</script>"""


class Origin:
    """A page, the WebSocket that it opens, and what it said in the end."""

    def __init__(self) -> None:
        self.port = 0
        self.said: dict[str, Any] = {}
        self.handshake: dict[str, str] = {}
        self.over = threading.Event()

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """An ordinary response for everything that is no WebSocket."""
        url = urlsplit(request.path)
        if url.path == "/echo":
            self.handshake = {name.lower(): value for name, value in request.headers.raw_items()}
            return None
        if url.path == "/said":
            self.said = json.loads(unquote(url.query))
            self.over.set()
        body = PAGE.encode() if url.path == "/" else b""
        headers = Headers({"content-type": "text/html", "content-length": str(len(body)), "connection": "close"})
        return Response(HTTPStatus.OK, "OK", headers, body)

    async def echo(self, connection: ServerConnection) -> None:
        async for message in connection:
            if message == "close":
                await connection.close(4321, "as you wish")
            else:
                await connection.send(message)


@pytest.fixture
def origin() -> Iterator[Origin]:
    running = Origin()
    with serving(
        running.echo,
        process_request=running.answer,
        select_subprotocol=lambda connection, offered: "chat",
    ) as running.port:
        yield running


@pytest.fixture(scope="module")
def browser() -> str:
    """The command; root on a Debian gets it installed."""
    if not debian.can_install() and not debian.is_installed(PACKAGE):
        pytest.skip(f"there is no headless Chromium; as root: {debian.install_command(PACKAGE)}")
    debian.provide(PACKAGE, commands=(PACKAGE,))
    return PACKAGE


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_page_talks_to_its_server(scheme: str, browser: str, origin: Origin, tmp_path: Path) -> None:
    tls = ""
    if scheme == "https":
        certificate, key = self_signed(tmp_path)
        tls = f'tls = {{ cert = "{certificate}", key = "{key}" }}\n'
    config = CONFIG.replace("UPSTREAM", f"http://127.0.0.1:{origin.port}").replace("[server]\n", f"[server]\n{tls}")
    with sentinel_run(write_config(tmp_path, config, GUESTS)) as gateway:
        host, port = gateway.public
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--ignore-certificate-errors"]
        options += ["--disable-background-networking", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}"]
        # With a port for debuggers it stays after the page has been loaded.
        command = [browser, *options, "--remote-debugging-port=0", f"{scheme}://{host}:{port}/"]
        with (tmp_path / "browser.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, process_group=0)
        try:
            # It has to start first, which on a busy machine takes its time.
            assert origin.over.wait(2 * PATIENCE), (tmp_path / "browser.log").read_text()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert origin.said == {
        "echoed": True,
        "bytes": [0, 255],
        "protocol": "chat",
        "code": 4321,
        "reason": "as you wish",
    }
    assert origin.handshake["origin"] == f"{scheme}://{host}:{port}"
    # RFC 8441 over TLS: the browser opens it as a stream of the page's own connection.
    assert origin.handshake["via"] == ("2 sentinel" if scheme == "https" else "1.1 sentinel")
