"""oidc-login before a provider, with a browser that keeps cookies, on a whole gateway of two
workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest

from tests.support.clients import Answer, fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess, sentinel_run, write_config
from tests.support.providers import CLIENT, SECRET, Provider
from tests.support.upstreams import Upstream, running_upstream

CONFIG = f"""
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
workers = 2

[guest.oidc-login]
deadline = "5s"
grants = ["clock", "http-client", "kv", "random"]
instances = 16

[guest.oidc-login.config]
issuer = "ISSUER"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
redirect_uri = "http://shop.test/callback"
cookie_secret = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
claim_to_headers = {{ x-name = "name" }}
forward_access_token = true

[guest.oidc-login.http]
allow = ["ISSUER"]
networks = ["127.0.0.1/32"]
timeout = "60s"

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
chain = ["oidc-login"]
"""


class Browser:
    """Keeps cookies by their names, and follows nothing by itself."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self.cookies: dict[str, str] = {}

    def get(self, target: str) -> Answer:
        answer = fetch(self._gateway.public, target, headers=self.headers())
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                for crumb in SimpleCookie(value).values():
                    self.cookies[crumb.key] = crumb.value
                    if crumb["max-age"] == "0":
                        del self.cookies[crumb.key]
        return answer

    def headers(self) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"accept": "text/html", "x-principal": "root"} | ({"cookie": cookie} if cookie else {})

    def log_in(self, provider: Provider, target: str) -> Answer:
        back = urlsplit(provider.log_in(self.get(target).header("location") or "", "ann"))
        assert (back.netloc, back.path) == ("shop.test", "/callback")
        return self.get(f"{back.path}?{back.query}")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_upstream() as running:
        yield Provider(running)


@pytest.fixture
def gateway(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, provider: Provider
) -> Iterator[GatewayProcess]:
    text = CONFIG.replace("UPSTREAM", upstream.url).replace("ISSUER", provider.issuer)
    guests = {"oidc-login": ARTEFACTS / "rust" / "oidc-login.wasm"}
    with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), text, guests)) as running:
        yield running


def test_a_browser_logs_in_and_out(gateway: GatewayProcess, upstream: Upstream, provider: Provider) -> None:
    browser = Browser(gateway)
    answer = browser.log_in(provider, "/orders?page=2")
    assert (answer.status, answer.header("location")) == (302, "http://shop.test/orders?page=2")
    assert list(browser.cookies) == ["sentinel_session"]
    assert upstream.requests == []

    assert [browser.get("/orders?page=2").status for _ in range(10)] == [200] * 10
    for request in upstream.requests:
        assert (request.values("x-principal"), request.values("x-name")) == (["ann"], ["Ann"])
        assert (request.values("cookie"), request.values("authorization")) == ([], ["Bearer access-3"])
    assert len(provider.asked) == 1

    answer = browser.get("/logout")
    assert (answer.header("location") or "").startswith(f"{provider.issuer}/end?client_id={CLIENT}")
    assert browser.cookies == {}
    assert browser.get("/").status == 302


def test_a_code_is_of_no_use_to_another_browser(gateway: GatewayProcess, provider: Provider) -> None:
    victim, attacker = Browser(gateway), Browser(gateway)
    back = urlsplit(provider.log_in(attacker.get("/").header("location") or "", "eve"))
    assert victim.get(f"/callback?{back.query}").status == 400
    victim.get("/")
    assert victim.get(f"/callback?{back.query}").status == 400
    assert "sentinel_session" not in victim.cookies
    assert provider.asked == []
    # A code is good once.
    assert attacker.get(f"/callback?{back.query}").status == 302
    attacker.get("/logout")
    assert attacker.get(f"/callback?{back.query}").status == 400


def test_requests_at_once_refresh_a_session_once(
    gateway: GatewayProcess, upstream: Upstream, provider: Provider
) -> None:
    """The provider takes a refresh token once: a second use would end the session."""
    provider.lifetime = 0
    browser = Browser(gateway)
    browser.log_in(provider, "/")
    provider.lifetime = 300
    headers = browser.headers()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: fetch(gateway.public, "/", headers=headers), range(16)))
    assert [answer.status for answer in answers] == [200] * 16
    assert [form["grant_type"] for form in provider.asked] == ["authorization_code", "refresh_token"]
    # Those behind it have it, too: a browser may never read the first.
    assert any(answer.header("set-cookie") is not None for answer in answers)
    assert browser.get("/").status == 200
