"""The configuration of the page on production, as it stands there but for addresses, in front of
two upstreams.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestbuild.places import REPOSITORY
from sitebuild.markdown import blocks
from tests.support.certificates import self_signed
from tests.support.clients import Answer
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.tokens import signed
from tests.support.upstreams import Upstream, answering, running_upstream

PAGE = (REPOSITORY / "docs" / "how-to" / "production.md").read_text()
CONFIGURATION = next(block.text for block in blocks(PAGE) if block.language == "toml")
SECRET = "a secret of the test, longer than the hash"
TEXT = b"".join(b"line %d of a page\n" % number for number in range(1000))
ORIGIN = "origin: https://shop.example"
ISSUED = {"iss": "https://login.shop.example", "aud": "api"}


class Shop:
    """The gateway, its upstreams, and curl for it."""

    def __init__(self, gateway: GatewayProcess, certificate: Path, site: Upstream, api: Upstream) -> None:
        self.gateway = gateway
        self.site = site
        self.api = api
        announced = re.findall(r"sentinel: public on (https?)://(\S+)", "".join(gateway.log))
        self._addresses = dict(announced)
        self._certificate = certificate

    def ask(self, url: str, *headers: str, method: str = "GET") -> Answer:
        """The last response's head, and the bodies as they came."""
        there = f"::{self._addresses[url.partition(':')[0]]}"
        command = ["curl", "-s", "-i", "-X", method, "--cacert", self._certificate, "--connect-to", there, url]
        fields = [word for header in headers for word in ("-H", header)]
        printed = subprocess.run([*command, *fields], capture_output=True, check=True, timeout=PATIENCE).stdout
        head, _, body = printed.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Answer(int(status.split(" ")[1]), pairs, body)

    def statuses(self, url: str, *headers: str) -> list[int]:
        """Those of many requests on one connection; a range in the URL says how many."""
        there = f"::{self._addresses['https']}"
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\n", "--cacert", self._certificate, url]
        fields = [word for header in headers for word in ("-H", header)]
        done = subprocess.run(
            [*command, "--connect-to", there, *fields], capture_output=True, check=True, timeout=PATIENCE
        )
        return [int(line) for line in done.stdout.split()]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, standard_guests: str) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("production")
    certificate, key = self_signed(folder, "shop.example", "*.shop.example")
    certificate.rename(folder / "shop.pem")
    key.rename(folder / "shop.key")
    with running_upstream() as site, running_upstream() as api:
        text = CONFIGURATION.replace("http://127.0.0.1:9001", site.url).replace("http://127.0.0.1:9002", api.url)
        config = write_config(folder, re.sub(r"127\.0\.0\.1:80\d\d|127\.0\.0\.1:8443", "127.0.0.1:0", text))
        environment = {"JWT_SECRET": SECRET, "PYTHONPATH": standard_guests}
        with sentinel_run(config, environment) as gateway:
            gateway.wait(lambda: len(re.findall("sentinel: public on", "".join(gateway.log))) == 2, "second listener")
            yield Shop(gateway, folder / "shop.pem", site, api)


@pytest.fixture(autouse=True)
def forget(shop: Shop) -> None:
    shop.site.reset()
    shop.api.reset()


def token(**claims: Any) -> str:
    claims = ISSUED | {"sub": "ann", "plan": "free", "exp": time.time() + 600} | claims
    return f"authorization: Bearer {signed('HS256', SECRET.encode(), claims)}"


@pytest.mark.parametrize("host", ["shop.example", "www.shop.example", "api.shop.example"])
def test_http_becomes_https(shop: Shop, host: str) -> None:
    answer = shop.ask(f"http://{host}/a?b=c")
    assert (answer.status, answer.header("location")) == (308, f"https://{host}/a?b=c")


def test_another_host_has_no_route(shop: Shop) -> None:
    for url in ("https://other.shop.example/", "http://evil.example/"):
        assert shop.ask(url).status == 404
    assert shop.site.requests == shop.api.requests == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("https://www.shop.example/a?b", "https://shop.example/a?b"),
        ("https://shop.example/blog/2026/news", "https://shop.example/posts/2026-news"),
    ],
)
def test_old_addresses_lead_to_new_ones(shop: Shop, asked: str, told: str) -> None:
    answer = shop.ask(asked)
    location = answer.header("location") or ""
    assert answer.status == 301
    # A path is as good as a URL on the same host.
    assert location in (told, told.removeprefix("https://shop.example"))
    assert answer.header("strict-transport-security") == "max-age=86400"
    assert shop.site.requests == []


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
def test_pages_are_compressed(shop: Shop, coding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(TEXT)}\r\n\r\n"
    shop.site.handler = answering(head.encode() + TEXT)
    answer = shop.ask("https://shop.example/", f"accept-encoding: {coding}")
    assert (answer.status, answer.header("content-encoding")) == (200, coding)
    assert answer.header("vary") == "Accept-Encoding"
    assert len(answer.body) * 3 < len(TEXT)
    plain = shop.ask("https://shop.example/")
    assert (plain.header("content-encoding"), plain.body) == (None, TEXT)


def test_a_preflight_needs_no_token(shop: Shop) -> None:
    asked = (ORIGIN, "access-control-request-method: PUT")
    answer = shop.ask("https://api.shop.example/items", *asked, method="OPTIONS")
    assert (answer.status, answer.header("access-control-allow-origin")) == (204, "https://shop.example")
    stranger = shop.ask("https://api.shop.example/items", "origin: https://evil.example", asked[1], method="OPTIONS")
    assert (stranger.status, stranger.header("access-control-allow-origin")) == (403, None)
    assert shop.api.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("x-principal: root", "x-plan: gold"),
        (token(aud="shop"),),
        (token(exp=1),),
        (f"authorization: Bearer {signed('HS256', b'another secret, as long as the hash is', ISSUED)}",),
    ],
)
def test_without_a_good_token_scripts_read_401(shop: Shop, headers: tuple[str, ...]) -> None:
    answer = shop.ask("https://api.shop.example/items", ORIGIN, *headers)
    assert (answer.status, answer.header("access-control-allow-origin")) == (401, "https://shop.example")
    assert shop.api.requests == []


def test_the_upstream_is_told_who_asks_and_clients_cannot_tell_it(shop: Shop) -> None:
    forged = ("x-principal: root", "x-plan: gold")
    assert shop.ask("https://api.shop.example/items", token(sub="eve"), *forged).status == 200
    (request,) = shop.api.requests
    assert (request.values("x-principal"), request.values("x-plan")) == (["eve"], ["free"])


def test_each_plan_has_its_limit(shop: Shop) -> None:
    url = "https://api.shop.example/items?[1-61]"
    assert shop.statuses(url, token(sub="free")) == [200] * 60 + [429]
    assert shop.statuses(url, token(sub="gold", plan="gold")) == [200] * 61
    refused = shop.ask("https://api.shop.example/items", token(sub="free"), ORIGIN)
    assert refused.status == 429
    assert refused.header("access-control-allow-origin") == "https://shop.example"
    assert refused.header("retry-after")


def test_every_request_has_its_line(shop: Shop) -> None:
    shop.ask("https://shop.example/line")
    shop.ask("http://shop.example/line")
    shop.ask("https://api.shop.example/line")
    shop.ask("https://api.shop.example/line", token(sub="line"))

    def lines() -> list[dict[str, Any]]:
        told = [json.loads(record["message"]) for record in shop.gateway.guest_lines("access-log")]
        return [line for line in told if line["path"] == "/line"]

    shop.gateway.wait(lambda: len(lines()) == 4, "line for each request")
    assert [(line["route"], line["status"], line.get("upstream")) for line in lines()] == [
        ("shop", 200, "shop"),
        ("to-https", 308, None),
        ("api", 401, None),
        ("api", 200, "api"),
    ]
