"""Upstreams over TLS, what guests are told of them, and the admin listener."""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.e2e.conftest import StartGateway
from tests.failover.support import refusing_port
from tests.support.clients import Wire, fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.guests import trapping
from tests.support.upstreams import Upstream, running_upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "trusted"
targets = ["https://localhost:{port}"]
ca = "{folder}/own.pem"

[[upstream]]
name = "stranger"
targets = ["https://localhost:{port}"]
ca = "{folder}/other.pem"

[[upstream]]
name = "system"
targets = ["https://localhost:{port}"]

[[upstream]]
name = "misnamed"
targets = ["https://127.0.0.1:{port}"]
ca = "{folder}/own.pem"

[[upstream]]
name = "plain"
targets = ["http://localhost:{port}"]

[[route]]
path = "/"
upstream = "trusted"

[[route]]
path = "/stranger"
upstream = "stranger"

[[route]]
path = "/system"
upstream = "system"

[[route]]
path = "/misnamed"
upstream = "misnamed"

[[route]]
path = "/plain"
upstream = "plain"
"""


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Upstream]:
    """An upstream for ``localhost``; its authority is in own.pem, another in other.pem."""
    own, other = trustme.CA(), trustme.CA()
    own.cert_pem.write_to_path(str(tmp_path / "own.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.issue_cert("localhost").configure_cert(context)
    with running_upstream(context) as upstream:
        yield upstream


def test_an_upstream_over_tls_is_verified(start_anywhere: StartGateway, secure: Upstream, tmp_path: Path) -> None:
    gateway = start_anywhere(CONFIG.format(port=secure.port, folder=tmp_path))
    for _ in range(2):
        answer = fetch(gateway.public, method="POST", body=b"x" * 100_000)
        assert (answer.status, answer.body) == (200, b"hello")
    assert [received.values("host") for received in secure.requests] == [[f"localhost:{secure.port}"]] * 2
    assert len(secure.requests[0].body) == 100_000
    for path in ("/stranger", "/system", "/misnamed", "/plain"):
        answer = fetch(gateway.public, path)
        assert answer.status == 502, path
        assert answer.header("x-request-id")
    assert len(secure.requests) == 2
    gateway.wait_for_log("its certificate was not accepted")


TOLD = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "half"
targets = ["{upstream}", "http://127.0.0.1:{closed}"]

[[upstream]]
name = "down"
targets = ["http://127.0.0.1:{closed}", "http://127.0.0.2:{closed}"]

[[route]]
path = "/"
upstream = "half"
chain = ["access-log"]

[[route]]
path = "/down"
upstream = "down"
chain = ["access-log"]

[[route]]
path = "/own"
respond = {{ status = 200 }}
chain = ["access-log"]
"""


def test_guests_see_one_request_and_are_told_of_its_tries(start_anywhere: StartGateway, upstream: Upstream) -> None:
    closed = refusing_port()
    gateway = start_anywhere(
        TOLD.format(upstream=upstream.url, closed=closed), {"access-log": ARTEFACTS / "rust" / "access-log.wasm"}
    )
    paths = ["/"] * 10 + ["/down", "/own"]
    answers = [fetch(gateway.public, path).status for path in paths]
    assert answers == [200] * 10 + [503, 200]
    gateway.wait(lambda: len(gateway.guest_lines("access-log")) >= len(paths), "a line for each")
    lines = [json.loads(line["message"]) for line in gateway.guest_lines("access-log")]
    assert [line["path"] for line in lines] == paths
    *half, down, own = lines
    # Two failures in a row eject the endpoint that refuses.
    assert Counter((line["endpoint"], line["tries"]) for line in half) == {(upstream.url, 1): 8, (upstream.url, 2): 2}
    assert down["tries"] == 2
    assert down["endpoint"] in {f"http://127.0.0.{host}:{closed}" for host in (1, 2)}
    assert (own["tries"], own.get("endpoint"), own.get("upstream")) == (0, None, None)


ADMIN = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
path = "/"
upstream = "origin"

[[route]]
name = "br\\"oken\\n"
path = "/broken"
upstream = "origin"
chain = ["missing", "trapping"]
"""


@pytest.fixture
def administered(start_sentinel: StartGateway, upstream: Upstream) -> GatewayProcess:
    """A gateway with an admin listener, one guest of which is missing."""
    return start_sentinel(ADMIN.format(upstream=upstream.url), {"trapping": trapping()})


def test_the_admin_listener_serves_operators(administered: GatewayProcess, upstream: Upstream) -> None:
    for _ in range(3):
        fetch(administered.public)
    fetch(administered.public, "/broken")
    with Wire(administered.public) as client:
        client.send(b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer().status == 400
    assert fetch(administered.admin, "/healthz").body == b"ok\n"
    ready = fetch(administered.admin, "/readyz")
    assert ready.status == 503
    assert b"missing" in ready.body
    administered.wait_for_metric('sentinel_requests_total{route="/",status="200"}', 3)
    administered.wait_for_metric('sentinel_requests_total{route="br\\"oken\\n",status="503"}', 1)
    administered.wait_for_metric('sentinel_requests_refused_total{status="400"}', 1)
    administered.wait_for_metric('sentinel_request_duration_seconds_count{route="/"}', 3)
    administered.wait_for_metric('sentinel_guest_missing{guest="missing"}', 1)
    administered.wait_for_metric("sentinel_requests_active", 0)
    assert len(upstream.requests) == 3


def test_each_listener_keeps_to_itself(administered: GatewayProcess, upstream: Upstream) -> None:
    host, port = administered.admin
    for path in ("/healthz", "/readyz", "/metrics"):
        for name in (f"{host}:{port}", "admin", "localhost"):
            with Wire(administered.public) as client:
                client.get(path, host=name)
                assert client.answer().body == b"hello"
        with Wire(administered.public) as client:
            client.send(f"GET http://{host}:{port}{path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert client.answer().body == b"hello"
    before = len(upstream.requests)
    for path in ("/guests", "/broken", "/static/x"):
        # Without the token nobody learns what there is.
        assert fetch(administered.admin, path).status == 401
    assert len(upstream.requests) == before == 12
