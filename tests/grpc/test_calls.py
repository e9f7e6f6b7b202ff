"""Calls of gRPC's own client to gRPC's own server, through three guests."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.grpc.service import NAME, OPTIONS, Service, running_service
from tests.supervisor.support import wait_until
from tests.support.clocks import PATIENCE
from tests.support.gateways import ARTEFACTS, GatewayProcess, sentinel_run, write_config

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[guest.api-key-auth]
config = {{ keys = {{ "demo-key" = "demo" }} }}

[guest.header-injection.config]
request = {{ set = {{ "x-gateway" = "sentinel" }} }}
response = {{ set = {{ "x-served-by" = "sentinel" }} }}

[[upstream]]
name = "services"
targets = ["{target}"]
protocol = "http/2"

[[upstream]]
name = "away"
targets = ["http://127.0.0.1:1"]
protocol = "http/2"

[[upstream]]
name = "limited"
targets = ["{target}"]
protocol = "http/2"

[[route]]
path = "/test.Echo"
upstream = "services"
chain = ["access-log", "api-key-auth", "header-injection"]

[[route]]
path = "/grpc.reflection.v1alpha.ServerReflection"
upstream = "services"

[[route]]
path = "/test.Away"
upstream = "away"

[[route]]
path = "/test.Limited"
upstream = "limited"
limit = {{ requests = 1, window = "1h" }}
"""
KEY = (("x-api-key", "demo-key"),)
GUESTS = ("access-log", "api-key-auth", "header-injection")


@pytest.fixture(scope="module")
def backend() -> Iterator[tuple[Service, str]]:
    with running_service() as running:
        yield running


@pytest.fixture(scope="module")
def service(backend: tuple[Service, str]) -> Service:
    return backend[0]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backend: tuple[Service, str]) -> Iterator[GatewayProcess]:
    guests = {name: ARTEFACTS / "rust" / f"{name}.wasm" for name in GUESTS}
    text = CONFIG.format(target=backend[1])
    with sentinel_run(write_config(tmp_path_factory.mktemp("grpc"), text, guests)) as running:
        yield running


@pytest.fixture(scope="module")
def channel(gateway: GatewayProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel("{}:{}".format(*gateway.public), options=OPTIONS) as opened:
        yield opened


def unary(channel: grpc.Channel, method: str = "Unary", service: str = NAME) -> Callable[..., bytes]:
    return channel.unary_unary(f"/{service}/{method}")


def failure(call: Callable[..., object], *arguments: object, **more: object) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as raised:
        call(*arguments, timeout=more.pop("timeout", PATIENCE), **more)
    return raised.value


def test_a_unary_call_with_metadata_both_ways(channel: grpc.Channel, service: Service) -> None:
    metadata = (*KEY, ("x-twice", "a"), ("x-twice", "b"), ("x-trace-bin", b"\0\1\xff"))
    answer, call = unary(channel).with_call(b"hello", metadata=metadata, timeout=PATIENCE)
    assert answer == b"hello"
    first, last = list(call.initial_metadata()), list(call.trailing_metadata())
    assert [value for key, value in first if key == "x-first"] == ["1", "2"]
    assert ("x-raw-bin", b"\0\xff") in first
    assert ("x-served-by", "sentinel") in first
    assert ("x-last", "3") in last
    assert ("x-rest-bin", b"\xfe\0") in last
    seen = service.seen
    assert [value for key, value in seen if key == "x-twice"] == ["a", "b"]
    assert ("x-trace-bin", b"\0\1\xff") in seen
    assert ("x-principal", "demo") in seen
    assert ("x-gateway", "sentinel") in seen


@pytest.mark.parametrize("size", [0, 1, 100_000, 10 << 20])
def test_messages_of_all_sizes(channel: grpc.Channel, size: int) -> None:
    message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert unary(channel)(message, metadata=KEY, timeout=PATIENCE) == message


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_messages(channel: grpc.Channel, compression: grpc.Compression) -> None:
    message = b"a" * 100_000
    assert unary(channel)(message, metadata=KEY, compression=compression, timeout=PATIENCE) == message


def test_a_stream_from_the_server(channel: grpc.Channel) -> None:
    call = channel.unary_stream(f"/{NAME}/Count")(b"5000", metadata=KEY, timeout=PATIENCE)
    assert list(call) == [b"%d" % number for number in range(5000)]
    assert call.code() is grpc.StatusCode.OK


def test_a_stream_from_the_client(channel: grpc.Channel) -> None:
    pieces = [b"%d," % number for number in range(2000)]
    collect = channel.stream_unary(f"/{NAME}/Collect")
    assert collect(iter(pieces), metadata=KEY, timeout=PATIENCE) == b"".join(pieces)


def test_streams_both_ways_at_once(channel: grpc.Channel) -> None:
    """Each message waits for the answer to the one before."""
    said: queue.Queue[bytes | None] = queue.Queue()
    call = channel.stream_stream(f"/{NAME}/Talk")(iter(said.get, None), metadata=KEY, timeout=PATIENCE)
    for number in range(200):
        said.put(b"m%d" % number)
        assert next(call) == b"M%d" % number
    said.put(None)
    assert list(call) == []


def test_a_service_may_be_the_first_to_speak(channel: grpc.Channel) -> None:
    said: queue.Queue[bytes | None] = queue.Queue()
    call = channel.stream_stream(f"/{NAME}/Greet")(iter(said.get, None), metadata=KEY, timeout=PATIENCE)
    assert next(call) == b"hello"
    said.put(b"echo")
    assert next(call) == b"echo"
    said.put(None)
    assert list(call) == []


def test_a_failure_of_the_service_arrives_as_it_is(channel: grpc.Channel) -> None:
    error = failure(unary(channel, "Fail"), b"", metadata=KEY)
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "not now: 50 % \u20ac"
    assert ("x-why", "because") in list(error.trailing_metadata())


def test_a_method_that_is_not_there(channel: grpc.Channel) -> None:
    assert failure(unary(channel, "None"), b"", metadata=KEY).code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("metadata", "code"),
    [((), grpc.StatusCode.UNAUTHENTICATED), ((("x-api-key", "wrong"),), grpc.StatusCode.PERMISSION_DENIED)],
)
def test_a_guests_refusal_is_a_status(
    channel: grpc.Channel, metadata: tuple[tuple[str, str], ...], code: grpc.StatusCode
) -> None:
    assert failure(unary(channel), b"", metadata=metadata).code() is code


def test_refusals_of_the_gateway_are_statuses(channel: grpc.Channel) -> None:
    away = failure(unary(channel, service="test.Away"), b"")
    assert (away.code(), away.details()) == (grpc.StatusCode.UNAVAILABLE, "Bad Gateway")
    nowhere = failure(unary(channel, service="test.Nowhere"), b"")
    assert (nowhere.code(), nowhere.details()) == (grpc.StatusCode.UNIMPLEMENTED, "no route matches")
    # The first one is answered by the service, which does not know it.
    limited = {failure(unary(channel, service="test.Limited"), b"").code() for _ in range(2)}
    assert limited == {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.RESOURCE_EXHAUSTED}


def test_the_deadline_ends_the_call(channel: grpc.Channel, service: Service) -> None:
    # On a busy machine, a short deadline may be over before the call has reached the service.
    for seconds in (0.3, 3, 30):
        service.waits.clear()
        service.cancelled.clear()
        error = failure(unary(channel, "Wait"), b"", metadata=KEY, timeout=seconds)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        if service.waits.is_set():
            break
    assert service.cancelled.wait(PATIENCE)


def test_a_cancelled_call_is_cancelled_at_the_service(channel: grpc.Channel, service: Service) -> None:
    service.cancelled.clear()
    service.waits.clear()
    call = channel.unary_unary(f"/{NAME}/Wait").future(b"", metadata=KEY)
    assert service.waits.wait(PATIENCE)
    call.cancel()
    assert service.cancelled.wait(PATIENCE)


def test_a_hundred_calls_that_are_all_cancelled_leave_nothing(channel: grpc.Channel, service: Service) -> None:
    """The service hears of each of them. They are as many as one connection has streams."""
    messages = {b"%03d" % number for number in range(100)}
    calls = [channel.unary_unary(f"/{NAME}/Wait").future(each, metadata=KEY) for each in messages]
    wait_until(lambda: messages <= set(service.waiting), "all of them")
    for call in calls:
        call.cancel()
    wait_until(lambda: messages <= set(service.given_up), "their cancellation")
    assert messages.isdisjoint(service.waiting)
    assert unary(channel)(b"next", metadata=KEY, timeout=PATIENCE) == b"next"


def test_many_calls_at_once(channel: grpc.Channel) -> None:
    calls = [channel.unary_unary(f"/{NAME}/Unary").future(b"%d" % n, metadata=KEY) for n in range(300)]
    assert [call.result(PATIENCE) for call in calls] == [b"%d" % n for n in range(300)]


def test_server_reflection(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([asked]), timeout=PATIENCE)
    assert NAME in {service.name for service in answer.list_services_response.service}


def test_calls_are_in_the_access_log_with_their_http_status(gateway: GatewayProcess, channel: grpc.Channel) -> None:
    failure(unary(channel, "Refused"), b"")

    def is_logged() -> bool:
        records = [json.loads(line["message"]) for line in gateway.guest_lines("access-log")]
        return (401, f"/{NAME}/Refused") in {(record["status"], record["path"]) for record in records}

    gateway.wait(is_logged, "its line")
