"""A gRPC server without generated code: its messages are bytes."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_reflection.v1alpha import reflection

from tests.support.clocks import PATIENCE

NAME = "test.Echo"
# gRPC's own default is 4 MiB.
OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]


class Service:
    """``/Tell`` sends what is put into ``told``, up to an empty message; ``/Take`` puts what comes into
    ``taken``, and answers early with its metadata if the call's has ``x-early``.

    ``waits`` is set when a call of ``/Wait`` begins, ``cancelled`` when one is cancelled;
    ``waiting`` has the messages of those under way, ``given_up`` those of the cancelled. ``seen``
    has the metadata of the last call.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.waiting: list[bytes] = []
        self.given_up: list[bytes] = []
        self._lock = threading.Lock()
        self.waits = threading.Event()
        self.seen: list[tuple[str, str | bytes]] = []
        self.taken: queue.Queue[bytes] = queue.Queue()
        self.told: queue.Queue[bytes] = queue.Queue()

    def handlers(self) -> grpc.GenericRpcHandler:
        """What is called by which name."""
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
                "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
                "Wait": grpc.unary_unary_rpc_method_handler(self.wait),
                "Count": grpc.unary_stream_rpc_method_handler(self.count),
                "Collect": grpc.stream_unary_rpc_method_handler(self.collect),
                "Talk": grpc.stream_stream_rpc_method_handler(self.talk),
                "Tell": grpc.stream_stream_rpc_method_handler(self.tell),
                "Take": grpc.stream_unary_rpc_method_handler(self.take),
                "Greet": grpc.stream_stream_rpc_method_handler(self.greet),
            },
        )

    def unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.seen = [(key, value) for key, value in context.invocation_metadata()]
        context.send_initial_metadata((("x-first", "1"), ("x-first", "2"), ("x-raw-bin", b"\0\xff")))
        context.set_trailing_metadata((("x-last", "3"), ("x-rest-bin", b"\xfe\0")))
        return request

    def fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("x-why", "because"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 50 % \u20ac")
        raise AssertionError

    def wait(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        over = threading.Event()
        context.add_callback(over.set)
        with self._lock:
            self.waiting.append(request)
        self.waits.set()
        is_over = over.wait(PATIENCE)
        with self._lock:
            self.waiting.remove(request)
            if is_over and not context.is_active():
                self.given_up.append(request)
        self.cancelled.set()
        return b""

    def count(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    def collect(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        return b"".join(requests)

    def talk(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield request.upper()

    def tell(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        return iter(self.told.get, b"")

    def take(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        if "x-early" in dict(context.invocation_metadata()):
            context.send_initial_metadata(())
        for request in requests:
            self.taken.put(request)
        return b"taken"

    def greet(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Speaks first."""
        yield b"hello"
        yield from requests


@contextlib.contextmanager
def running_service() -> Iterator[tuple[Service, str]]:
    """A server, and its address."""
    service = Service()
    server = grpc.server(ThreadPoolExecutor(128), options=OPTIONS, compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers((service.handlers(),))
    reflection.enable_server_reflection((NAME, reflection.SERVICE_NAME), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield service, f"http://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
