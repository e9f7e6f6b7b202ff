"""The dashboard in a browser: signing in, figures that move, a request through three guests, as many
requests as the machine can make, an endpoint that dies, the dark, and a narrow window.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.control.support import GUESTS, KEY, TOKEN, config
from tests.support.browser import Page, browsing, missing
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import ROOT, GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream, running_upstream

SHOTS = ROOT / "build" / "docs" / "dashboard"
# A route that costs the least, so that there are as many requests as possible.
STATUS = """
[[route]]
name = "status"
path = "/status"
respond = { body = "ok" }
"""
# Requests that the page shows, and one more that is open.
MOST_ROWS = 31
# Of the whole page: thirty requests of eight elements, the tables, and the picture.
MOST_ELEMENTS = 1500
ROWS = "document.querySelectorAll('#{} tr').length"


@pytest.fixture(scope="module", autouse=True)
def _browser() -> None:
    if reason := missing():
        pytest.skip(reason)


@pytest.fixture
def upstreams() -> Iterator[tuple[list[Upstream], ExitStack]]:
    """Two; the second one ends with the stack."""
    with running_upstream() as first, ExitStack() as stack:
        yield [first, stack.enter_context(running_upstream())], stack


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with browsing(tmp_path / "browser") as opened:
        yield opened


class Traffic:
    """Requests, one after the other, until the test is over."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            fetch(self._gateway.public, "/api/orders?page=2", headers=KEY)


class Flood:
    """As many requests for ``/status`` as h2load can make, until the block ends. ``sent`` is how
    many that was, and ``reports`` what each run of it said.
    """

    ROUND = 2000

    def __init__(self, gateway: GatewayProcess) -> None:
        program = shutil.which("h2load")
        assert program is not None
        self.sent = 0
        self.reports: list[str] = []
        self._command = [program, f"-n{self.ROUND}", "-c8", "-m10", f"{gateway.url}/status"]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Flood:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def failures(self) -> list[str]:
        """What runs said in which not every request had its answer."""
        whole = re.compile(rf"{self.ROUND} succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: {self.ROUND} 2xx")
        return [report for report in self.reports if whole.search(report) is None]

    def _run(self) -> None:
        while not self._over.is_set():
            done = subprocess.run(self._command, capture_output=True, text=True, check=False, timeout=2 * PATIENCE)
            self.sent += self.ROUND
            self.reports.append(done.stdout + done.stderr)


def cell(row: str, label: str) -> str:
    """The text of a cell of a row whose header begins so."""
    rows = "[...document.querySelectorAll('tbody tr')]"
    row = f"{rows}.find(row => row.querySelector('th').innerText.startsWith('{row}'))"
    return f"{row}?.querySelector('[data-label=\"{label}\"]')?.innerText"


def sign_in(page: Page, gateway: GatewayProcess) -> None:
    host, port = gateway.admin
    page.open(f"http://{host}:{port}/")
    page.wait("document.activeElement?.id === 'token'")
    page.type("a-token-that-is-not-it")
    page.press("Enter", 13)
    page.wait("document.getElementById('sign-in-fault').innerText === 'This is not the admin token.'")
    page.evaluate("document.getElementById('token').value = ''")
    page.type(TOKEN)
    page.press("Enter", 13)
    page.wait(f"{ROWS.format('route-rows')} === 3")
    # What the browser said of the token that was refused.
    page.faults.clear()


def test_an_operator_sees_what_happens(tmp_path: Path, page: Page, upstreams: tuple[list[Upstream], ExitStack]) -> None:
    (first, second), ending = upstreams
    text = config(first.url, second.url, workers=2) + STATUS
    with sentinel_run(write_config(tmp_path, text, GUESTS)) as gateway, Traffic(gateway):
        page.resize(1280, 900)
        page.prefer("light")
        sign_in(page, gateway)
        shows_live_counters(page)
        page.screenshot(SHOTS / "dashboard.webp")
        shows_a_request_through_three_guests(page)
        page.evaluate("document.getElementById('requests').scrollIntoView()")
        page.screenshot(SHOTS / "request.webp")
        keeps_up_with_a_flood(page, gateway)
        dies(page, second, ending)
        is_dark(page)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(SHOTS / "dark.webp")
        fits_a_telephone(page)
        page.screenshot(SHOTS / "telephone.webp")
        signs_out(page)
    assert page.faults == []


def shows_live_counters(page: Page) -> None:
    page.wait(f"Number({cell('api', 'Total')}?.replaceAll(',', '')) > 5")
    before = page.evaluate(cell("api", "Total"))
    page.wait(f"{cell('api', 'Total')} !== '{before}'")
    page.wait(f"Number({cell('api', 'Requests/s')}) > 0")
    page.wait("document.getElementById('live').innerText === 'live'")
    assert page.evaluate("document.querySelectorAll('#picture .guest').length") == 3
    assert page.evaluate("document.querySelector('#picture svg').getAttribute('aria-label')").startswith("Route api: ")


def shows_a_request_through_three_guests(page: Page) -> None:
    # By keyboard: the row is a button.
    page.wait("document.querySelector('.line')?.innerText.includes('/api/orders')")
    page.evaluate("document.querySelector('.line').focus()")
    page.press("Enter", 13)
    told = page.wait("document.querySelector('.line[aria-expanded=true] ~ .detail')?.innerText")
    for text in (
        "api-key-auth · request · edited",
        "x-principal: demo",
        "x-api-key: (8 bytes)",
        "header-injection · request · edited",
        "x-gateway: sentinel",
        "header-injection · response · edited",
        "x-served-by: sentinel",
        "access-log · complete",
        '"status":200',
    ):
        assert text in told, told
    assert "demo-key" not in told


def keeps_up_with_a_flood(page: Page, gateway: GatewayProcess) -> None:
    total = f"Number({cell('status', 'Total')}.replaceAll(',', ''))"
    assert page.evaluate(total) == 0
    with Flood(gateway) as flood:
        for _ in range(3):
            before = page.evaluate(total)
            page.wait(f"{total} > {before}")
            assert page.evaluate("document.getElementById('live').innerText") == "live"
        page.wait(f"Number({cell('status', 'Requests/s')}.replaceAll(',', '')) > 0")
    assert flood.failures() == []
    # Nothing that was counted is missing, and of the requests the page has a few.
    page.wait(f"{total} === {flood.sent}")
    assert page.evaluate("document.querySelectorAll('#request-rows > li').length") <= MOST_ROWS
    assert page.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS
    assert not any(line.startswith("Traceback") for line in gateway.log)


def dies(page: Page, upstream: Upstream, ending: ExitStack) -> None:
    state = cell(upstream.url, "State")
    page.wait(f"{state} === 'serving'")
    page.wait("document.querySelectorAll('#picture .endpoint.ill').length === 0")
    ending.close()
    page.wait(f"['down', 'ejected'].includes({state}?.split(',')[0])")
    page.wait("document.querySelectorAll('#picture .endpoint.ill').length === 1")
    red = page.evaluate(
        f"getComputedStyle([...document.querySelectorAll('#endpoint-rows tr')].find(row => "
        f"row.innerText.startsWith('{upstream.url}')).querySelector('.pill')).color"
    )
    assert red == "rgb(189, 44, 35)"


def is_dark(page: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(246, 246, 243)"
    page.prefer("dark")
    page.wait(f"{background} === 'rgb(18, 19, 22)'")
    # Who prefers it otherwise, says so.
    page.evaluate("document.getElementById('theme').click()")
    page.wait(f"{background} === 'rgb(246, 246, 243)'")
    page.evaluate("document.getElementById('theme').click()")
    page.wait(f"{background} === 'rgb(18, 19, 22)'")


def fits_a_telephone(page: Page) -> None:
    page.resize(400, 860)
    page.wait("document.documentElement.scrollWidth === 400")


def signs_out(page: Page) -> None:
    page.evaluate("document.getElementById('sign-out').click()")
    page.wait("document.getElementById('board').hidden && !document.getElementById('sign-in').hidden")
    # Nothing is told any more.
    assert page.evaluate("fetch('routes').then(answer => answer.status)") == 401
    page.faults.clear()
