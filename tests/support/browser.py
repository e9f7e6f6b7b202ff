"""A headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from sentinel_host.authoring import debian
from tests.support.clocks import PATIENCE

PACKAGE: Final = "chromium-headless-shell"

_OPTIONS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--ignore-certificate-errors",
    "--no-first-run",
    "--hide-scrollbars",
)
_ENDPOINT: Final = re.compile(r"DevTools listening on ws://([^/\s]+)")
# A picture of a page that is as large as it likes.
_LARGEST_MESSAGE: Final = 64 << 20


def missing() -> str | None:
    """Why there is no browser, or None where there is one; root on a Debian gets it installed."""
    if not debian.can_install() and not debian.is_installed(PACKAGE):
        return f"there is no headless Chromium; as root: {debian.install_command(PACKAGE)}"
    debian.provide(PACKAGE, commands=(PACKAGE,))
    return None


class Page:
    """One page of a browser. ``faults`` are what its console said was wrong, exceptions
    included.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.faults: list[str] = []
        self._socket = socket
        self._next = 0
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        self._next += 1
        self._socket.send(json.dumps({"id": self._next, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(2 * PATIENCE))
            if message.get("id") == self._next:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def open(self, url: str) -> None:
        """Load a page."""
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The value of a script's expression, once a promise is fulfilled."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait(self, expression: str, seconds: float = 2 * PATIENCE) -> Any:
        """The value of an expression, once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, f"{expression} is {value!r}; {self.faults}; {self.text()[-2000:]}"
            time.sleep(0.05)
        return value

    def text(self) -> str:
        """What a person reads."""
        return str(self.evaluate("document.body?.innerText ?? ''"))

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int = 0) -> None:
        """Press a key, and let it go."""
        text = "\r" if key == "Enter" else ""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def resize(self, width: int, height: int) -> None:
        """The size of the window, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, scheme: str) -> None:
        """``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, file: Path) -> None:
        """A picture of what the window shows, in the format that the file's name asks for."""
        kind = file.suffix.removeprefix(".")
        told = self.call("Page.captureScreenshot", format=kind, quality=80)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(told["data"]))

    def _note(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.faults.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """A browser with an empty profile in ``folder``, and its page."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "browser.log"
    command = [PACKAGE, *_OPTIONS, f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0", "about:blank"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, process_group=0)
    try:
        address = _address(log)
        url = f"ws://{address}/devtools/page/{_target(address)}"
        with connect(url, max_size=_LARGEST_MESSAGE, open_timeout=PATIENCE) as socket:
            yield Page(socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _address(log: Path) -> str:
    end = time.monotonic() + 2 * PATIENCE
    while not (found := _ENDPOINT.search(log.read_text(errors="replace"))):
        assert time.monotonic() < end, log.read_text(errors="replace")
        time.sleep(0.05)
    return found[1]


def _target(address: str) -> str:
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    connection.request("GET", "/json/list")
    targets = json.loads(connection.getresponse().read())
    connection.close()
    return str(next(target["id"] for target in targets if target["type"] == "page"))
