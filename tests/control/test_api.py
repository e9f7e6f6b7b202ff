"""The admin API: every operation, what it needs, and what it never tells."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import pytest

from sentinel_host.limiter import address_key
from tests.control.support import KEY, TOKEN, admin, as_browser, config
from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Upstream

PLAIN = ("/state", "/routes", "/upstreams", "/guests", "/limits", "/certificates", "/requests", "/config", "/explain")
ENDING = {"/events"}


def session(gateway: GatewayProcess) -> tuple[str, str]:
    """The cookie and the proof of a browser that signed in."""
    signed = fetch(
        gateway.admin,
        "/session",
        method="POST",
        body=json.dumps({"token": TOKEN}),
        headers={"content-type": "application/json"},
    )
    assert signed.status == 200
    cookie = signed.header("set-cookie")
    assert cookie is not None
    return cookie.partition(";")[0], signed.json()["proof"]


def test_every_operation_is_in_the_document(gateway: GatewayProcess) -> None:
    told = admin(gateway, "/openapi.json").json()
    assert {*PLAIN, *ENDING, "/healthz", "/readyz", "/metrics", "/config/check", "/openapi.json"} < set(told["paths"])
    references = json.dumps(told).split('"$ref": "#/components/schemas/')[1:]
    assert {each.partition('"')[0] for each in references} <= set(told["components"]["schemas"])


@pytest.mark.parametrize("path", PLAIN)
def test_answers_are_what_the_document_says(gateway: GatewayProcess, path: str) -> None:
    told = admin(gateway, "/openapi.json").json()
    answer = admin(gateway, path)
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    content = told["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    schema = told["components"]["schemas"][content["$ref"].rpartition("/")[2]]
    assert set(answer.json()) == set(schema["properties"])


@pytest.mark.parametrize("path", [*PLAIN, *ENDING, "/openapi.json"])
def test_nothing_is_told_without_the_token(gateway: GatewayProcess, path: str) -> None:
    refused = fetch(gateway.admin, path)
    assert refused.status == 401
    assert TOKEN not in refused.body.decode()


def test_routes_tell_where_requests_went(gateway: GatewayProcess) -> None:
    for _ in range(3):
        assert fetch(gateway.public, "/api/x", headers=KEY).status == 200

    def counted() -> dict[str, Any]:
        (route,) = (each for each in admin(gateway, "/routes").json()["routes"] if each["name"] == "api")
        return dict(route)

    wait_until(lambda: counted()["requests"] >= 3, "the requests to be counted")
    route = counted()
    assert (route["kind"], route["upstreams"], route["guests"]) == (
        "upstream",
        {"origin": 1},
        ["access-log", "api-key-auth", "header-injection"],
    )
    assert route["statuses"]["200"] >= 3
    assert route["latency"]["count"] == route["requests"] == sum(route["latency"]["counts"])
    assert 0 < route["latency"]["p50"] <= route["latency"]["p99"]


def test_guests_tell_their_grants_schema_and_resources(gateway: GatewayProcess) -> None:
    guests = {guest["name"]: guest for guest in admin(gateway, "/guests").json()["guests"]}
    assert "keys" in guests["api-key-auth"]["schema"]["properties"]
    assert guests["header-injection"]["resources"]["memory_bytes"] > 0
    assert guests["header-injection"]["grants"] == []


def test_limits_tell_whom_they_refuse(gateway: GatewayProcess) -> None:
    statuses = [fetch(gateway.public, "/few").status for _ in range(5)]
    assert statuses == [200, 200, 429, 429, 429]
    (limit,) = admin(gateway, "/limits").json()["limits"]
    assert (limit["route"], limit["name"], limit["refused"], limit["allowed"]) == ("few", "each client", 3, 2)
    digest = blake2b(address_key("127.0.0.1"), digest_size=8).hexdigest()
    assert limit["keys"] == [{"digest": digest, "refused": 3}]


def test_the_effective_configuration_has_defaults_and_no_secrets(gateway: GatewayProcess) -> None:
    answer = admin(gateway, "/config")
    assert TOKEN not in answer.body.decode()
    assert "demo-key" not in answer.body.decode()
    told = answer.json()["config"]
    assert told["server"]["grace"] == "30s"
    assert told["upstream"][0]["check"]["path"] == "/health"


def test_a_new_configuration_is_checked(gateway: GatewayProcess, upstream: Upstream) -> None:
    text = config(upstream.url)
    same = admin(gateway, "/config/check", "POST", text)
    assert (same.status, same.json()) == (200, {"changes": []})
    changed = admin(gateway, "/config/check", "POST", text.replace("requests = 2", "requests = 3"))
    (change,) = changed.json()["changes"]
    assert (change["key"], change["kind"], change["needs_restart"]) == ("route[few].limits", "changed", False)
    bad = admin(gateway, "/config/check", "POST", text.replace("upstream =", "upsteam ="))
    assert bad.status == 422
    assert bad.json()["error"].endswith("route[0]: unknown key `upsteam`; did you mean `upstream`?")
    assert admin(gateway, "/config/check", "POST", b"\xff").status == 422
    missing = text.replace("[server]", '[server]\ntls = { cert = "none.pem", key = "none.pem" }')
    assert "none.pem: No such file" in admin(gateway, "/config/check", "POST", missing).json()["error"]


def test_a_request_is_explained(gateway: GatewayProcess, upstream: Upstream) -> None:
    told = admin(gateway, "/explain").json()
    assert told["token"] != TOKEN
    answer = fetch(gateway.public, "/api/explained", headers=KEY | {told["header"]: told["token"]})
    # It is not passed on.
    assert all(not request.values(told["header"]) for request in upstream.requests)

    def found() -> list[dict[str, Any]]:
        records = admin(gateway, "/requests?limit=50").json()["requests"]
        return [record for record in records if record["why"] == "explained"]

    wait_until(lambda: bool(found()), "the record")
    (record,) = found()
    assert (record["id"], record["path"]) == (answer.header("x-request-id"), "/api/explained")
    edited = {hook["guest"] for hook in record["hooks"] if hook["changes"]}
    assert edited == {"api-key-auth", "header-injection"}
    assert "demo-key" not in json.dumps(record)
    assert len(admin(gateway, "/requests?limit=1").json()["requests"]) == 1
    for limit in ("x", "-1", "9" * 5000):
        assert admin(gateway, f"/requests?limit={limit}").status == 400


def test_a_browser_signs_in(gateway: GatewayProcess) -> None:
    refused = {
        "another token": (json.dumps({"token": "another-token-than-it"}), "application/json", 401),
        "no token": ("{}", "application/json", 400),
        "a form of another origin": (json.dumps({"token": TOKEN}), "text/plain", 415),
    }
    for body, kind, status in refused.values():
        headers = {"content-type": kind}
        assert fetch(gateway.admin, "/session", method="POST", body=body, headers=headers).status == status
    cookie, proof = session(gateway)
    assert as_browser(gateway, "/routes", cookie, proof).status == 200
    # A cookie is sent along by any page, and to other services of the host.
    assert as_browser(gateway, "/routes", cookie, "").status == 401
    assert as_browser(gateway, "/routes", "", proof).status == 401
    assert as_browser(gateway, "/guests/access-log/rollback", cookie, "", "POST").status == 401
    out = fetch(gateway.admin, "/session", method="DELETE")
    assert "Max-Age=0" in (out.header("set-cookie") or "")


def test_no_script_reads_the_cookie(gateway: GatewayProcess) -> None:
    headers = {"content-type": "application/json"}
    body = json.dumps({"token": TOKEN})
    cookie = fetch(gateway.admin, "/session", method="POST", body=body, headers=headers).header("set-cookie") or ""
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))


@pytest.mark.parametrize("name", ["", "dashboard.css", "dashboard.js", "icon.svg"])
def test_the_page_loads_nothing_from_elsewhere(gateway: GatewayProcess, name: str) -> None:
    answer = fetch(gateway.admin, f"/{name}")
    assert answer.status == 200
    policy = answer.header("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.header("x-content-type-options") == "nosniff"
    text = answer.body.decode().replace("http://www.w3.org/", "")
    assert "https://" not in text
    assert "http://" not in text
    assert " style=" not in text


def test_what_happens_is_told_as_events(gateway: GatewayProcess) -> None:
    import http.client

    connection = http.client.HTTPConnection(*gateway.admin, timeout=PATIENCE)
    connection.request("GET", "/events", headers={"authorization": f"Bearer {TOKEN}"})
    response = connection.getresponse()
    assert response.headers["content-type"] == "text/event-stream"
    seen: dict[str, Any] = {}
    while not {"requests", "state"} <= set(seen):
        event = response.readline().decode().removeprefix("event: ").strip()
        seen[event] = json.loads(response.readline().decode().removeprefix("data: "))
        assert response.readline() == b"\n"
    assert [route["name"] for route in seen["state"]["routes"]] == ["api", "few"]
    connection.close()
