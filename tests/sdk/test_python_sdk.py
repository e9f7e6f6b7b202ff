"""The SDK without WebAssembly: bytes, configurations, and hooks under the harness."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from guestbuild.places import REPOSITORY
from sentinel_sdk import (
    ConfigError,
    Guest,
    HttpError,
    IncomingResponse,
    KvError,
    Request,
    RequestChunk,
    Response,
    ResponseChunk,
    Summary,
    _msgpack,
    clock,
    config,
    header_name,
    http,
    kv,
    log,
    metrics,
    random,
)
from sentinel_sdk.guest import hooks_of
from sentinel_sdk.testing import Harness
from sitebuild.markdown import blocks

README = REPOSITORY / "sdk" / "python" / "README.md"


def test_the_guest_of_the_readme_passes_the_test_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = [block.text for block in blocks(README.read_text()) if block.language == "python"]
    for text in written:
        (tmp_path / Path(text.splitlines()[0].removeprefix("# ")).name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    unit_tests = importlib.import_module("test_maintenance")
    try:
        unit_tests.test_only_the_open_path_is_served()
    finally:
        del sys.modules["test_maintenance"], sys.modules["maintenance"]


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, 127, 128, 255, 256, 65535, 65536, 1 << 40, (1 << 64) - 1, -1, -33, -70000, 1.5),
        *("", "a" * 31, "a" * 32, "ü" * 200, "b" * 70000, b"", b"x" * 255, b"x" * 256, b"x" * 70000),
        *([], [1] * 15, [1] * 16, [None] * 70000, {}, {"a": {"b": [1, b"c"]}}, {str(key): key for key in range(20)}),
    ],
)
def test_a_value_is_what_it_was(value: object) -> None:
    assert _msgpack.unpack(_msgpack.pack(value)) == value


def test_other_encodings_are_read() -> None:
    assert _msgpack.unpack(b"\xff") == -1
    assert _msgpack.unpack(b"\xd0\x80") == -128
    assert _msgpack.unpack(b"\xca\x3f\xc0\x00\x00") == 1.5
    with pytest.raises(ValueError, match="kind 0xc1"):
        _msgpack.unpack(b"\xc1")


@dataclass
class Inner:
    size: int
    shape: Literal["round", "square"] = "round"


@dataclass
class Settings:
    name: str
    share: float = 0.5
    on: bool = False
    tags: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    inner: Inner | None = None
    more: Any = None

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("name: this one is taken")


def test_a_configuration_is_a_dataclass() -> None:
    told = {"name": "a", "share": 1, "tags": ["x"], "keys": {"k": "v"}, "inner": {"size": 3}, "more": [1]}
    assert config.read(Settings, told) == Settings("a", 1.0, False, ["x"], {"k": "v"}, Inner(3), [1])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "name: has to be given"),
        ({"name": 5}, "name: expected text"),
        ({"name": "a", "on": 1}, "on: expected true or false"),
        ({"name": "a", "share": True}, "share: expected a number"),
        ({"name": "a", "tags": ["x", 1]}, r"tags\[1\]: expected text"),
        ({"name": "a", "keys": {"secret": 1}}, r"keys\.\*: expected text"),
        ({"name": "a", "keys": []}, "keys: expected a map"),
        ({"name": "a", "inner": {"size": 1, "shape": "flat"}}, r"inner\.shape: expected one of 'round', 'square'"),
        ({"name": "a", "nmae": 1}, r"nmae: no such key \(known: inner, keys"),
        ({"name": "bad"}, "name: this one is taken"),
        ([], "the configuration: expected a map"),
    ],
)
def test_a_configuration_is_refused_by_key_and_without_values(told: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config.read(Settings, told)


def test_a_configuration_has_a_schema() -> None:
    made = config.schema(Settings)
    assert made["required"] == ["name"]
    assert made["additionalProperties"] is False
    assert made["properties"]["share"] == {"type": "number", "default": 0.5}
    assert made["properties"]["keys"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert made["properties"]["inner"]["properties"]["shape"] == {"enum": ["round", "square"], "default": "round"}


@pytest.mark.parametrize("name", ["", "a b", "Ä", "content-length", "Host", ":path"])
def test_names_that_no_guest_may_set(name: str) -> None:
    with pytest.raises(ValueError, match="header"):
        header_name(name)


class Everything(Guest[Settings]):
    def on_request(self, request: Request) -> Response | None:
        log.info(f"{request.method} {request.path} {request.query} {request.headers.get('Accept')}")
        if request.path == "/no":
            request.set_context("c")
            return Response.json({"error": "no"}, 401)
        request.headers.set("X-A", "1")
        request.headers.append("x-a", b"2")
        request.headers.remove("accept")
        request.set_context(b"ctx")
        request.set_path("/b")
        request.set_upstream("other")
        request.buffer_body(10)
        return None

    def on_response(self, response: IncomingResponse) -> Response | None:
        if response.origin == "gateway":
            return Response(599)
        response.set_status(201)
        response.stream_body()
        return None

    def on_request_chunk(self, chunk: RequestChunk) -> Response | None:
        if chunk.data == b"bad":
            return Response(400)
        chunk.head.headers.set("x-length", str(len(chunk.data)))
        chunk.replace(chunk.data.upper())
        return None

    def on_response_chunk(self, chunk: ResponseChunk) -> Response | None:
        if chunk.context:
            chunk.replace(chunk.context)
        return None

    def on_complete(self, summary: Summary) -> None:
        metrics.describe("ended", "counter", "Requests.")
        metrics.describe("age_seconds", "histogram", unit="seconds", bounds=[1, 2.5])
        metrics.add("ended", {"outcome": summary.outcome})
        metrics.observe("status", summary.status)


def test_hooks_under_the_harness() -> None:
    harness = Harness(Everything, {"name": "n"})
    result = harness.on_request("PUT", "/a?b", {"accept": "x"})
    assert result.edits == [("set", "x-a", b"1"), ("append", "x-a", b"2"), ("remove", "accept")]
    assert (result.headers, result.header("X-a")) == ([("x-a", b"1"), ("x-a", b"2")], "1")
    assert (result.context, result.path, result.upstream, result.body) == (b"ctx", "/b", "other", "buffer")
    refused = harness.on_request(target="/no")
    assert refused.response is not None
    assert (refused.response.status, refused.response.body, refused.context) == (401, b'{"error":"no"}', b"c")
    assert harness.logs == [("info", "PUT /a b x"), ("info", "GET /no None None")]
    response = harness.on_response()
    assert (response.status, response.body) == (201, "stream")
    instead = harness.on_response(origin="gateway").response
    assert instead is not None
    assert instead.status == 599
    chunk = harness.on_request_chunk(b"abc")
    assert (chunk.chunk, chunk.header("x-length")) == (b"ABC", "3")
    assert harness.on_request_chunk(b"bad").response is not None
    assert harness.on_response_chunk(b"abc").chunk == b"abc"
    assert harness.on_response_chunk(b"abc", context=b"x").chunk == b"x"
    harness.on_complete(503, outcome="client-aborted")
    assert harness.metrics == {'ended{outcome="client-aborted"}': 1, "status count": 1, "status sum": 503}
    assert harness.descriptions == {
        "ended": ("counter", "Requests.", "", ()),
        "age_seconds": ("histogram", "", "seconds", (1.0, 2.5)),
    }


def test_only_written_hooks_count() -> None:
    class Quiet(Guest):
        pass

    assert hooks_of(Quiet) == []
    assert set(hooks_of(Everything)) == {
        "on-request", "on-response", "on-complete", "on-request-chunk", "on-response-chunk",
    }  # fmt: skip
    with pytest.raises(TypeError, match="on_reqest is no hook"):
        type("Wrong", (Guest,), {"on_reqest": lambda self, request: None})


class Asks(Guest):
    def on_request(self, request: Request) -> Response | None:
        if request.path == "/http":
            try:
                answer = http.post("http://service/", "ping", {"A": "b"})
            except HttpError as error:
                return Response(502, body=error.reason)
            return Response(answer.status, body=answer.body + (answer.header("X") or "").encode())
        if request.path == "/kv":
            kv.set("text", "t")
            try:
                kv.add("text")
            except KvError as error:
                return Response(500, body=f"{error.reason} {kv.add('n', 2)} {kv.delete('n')} {kv.get('n')}")
        return Response(200, body=f"{clock.wall()} {clock.monotonic()} {len(random.bytes(9))} {random.number() > 0}")


def body_of(harness: Harness, path: str) -> bytes:
    response = harness.on_request(target=path).response
    assert response is not None
    return response.body


def test_the_hosts_functions_have_stand_ins() -> None:
    def service(method: str, url: str, body: bytes) -> Response:
        return Response(201, {"x": "y"}, f"{method} {url} {body.decode()} ")

    assert body_of(Harness(Asks, http=service), "/http") == b"POST http://service/ ping y"
    harness = Harness(Asks, kv={"old": "o"}, wall=7)
    assert body_of(harness, "/http") == b"unreachable"
    assert body_of(harness, "/kv") == b"not-a-number 2 True None"
    assert harness.kv == {b"old": b"o", b"text": b"t"}
    assert body_of(harness, "/") == b"7 7 9 True"


def test_an_exception_is_logged_and_goes_on() -> None:
    class Fails(Guest):
        def on_request(self, request: Request) -> Response | None:
            raise RuntimeError("mine")

    harness = Harness(Fails)
    with pytest.raises(RuntimeError, match="mine"):
        harness.on_request()
    ((level, text),) = harness.logs
    assert level == "error"
    assert text.startswith("Traceback")
    assert 'raise RuntimeError("mine")' in text


def test_configure_may_refuse() -> None:
    class Picky(Guest[Settings]):
        def configure(self, config: Settings) -> None:
            if config.on:
                raise ValueError("on: not here")

    Harness(Picky, {"name": "a"})
    settings: Mapping[str, object] = {"name": "a", "on": True}
    with pytest.raises(ConfigError, match="on: not here"):
        Harness(Picky, settings)
