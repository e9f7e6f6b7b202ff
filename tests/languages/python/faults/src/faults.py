"""A guest that does what the query says: everything that it may, and everything that it should
not.
"""

from __future__ import annotations

import datetime
import logging
import random
import secrets
import time
import uuid

from sentinel_sdk import (
    Guest,
    HttpError,
    IncomingResponse,
    KvError,
    Request,
    RequestChunk,
    Response,
    ResponseChunk,
    Summary,
    clock,
    http,
    kv,
    log,
    metrics,
)
from sentinel_sdk import random as host_random

HELD: list[bytes] = []
# Drawn while the guest is built: every instance begins with it.
BUILT = random.random()


class Faults(Guest):
    def on_request(self, request: Request) -> Response | None:
        does = getattr(self, f"do_{request.query}", None)
        if does is not None:
            return Response(body=str(does()))
        request.set_context(request.path)
        if request.path == "/body":
            request.buffer_body(1 << 20)
        request.headers.set("x-seen", f"{request.client} {request.route} {len(request.headers)}")
        return None

    def on_response(self, response: IncomingResponse) -> Response | None:
        response.headers.set("x-context", response.context)
        if response.context == b"/body":
            response.stream_body()
        return None

    def on_request_chunk(self, chunk: RequestChunk) -> Response | None:
        chunk.head.headers.set("x-length", str(len(chunk.data)))
        chunk.replace(chunk.data.upper())
        return None

    def on_response_chunk(self, chunk: ResponseChunk) -> Response | None:
        chunk.replace(chunk.data.replace(b"world", b"moon"))
        return None

    def on_complete(self, summary: Summary) -> None:
        log.debug(f"{summary.path} {summary.status} {summary.context.decode()}")

    def do_raise(self) -> None:
        self.deeper()

    def deeper(self) -> None:
        raise RuntimeError("the author's own")

    def do_loop(self) -> None:
        while True:
            pass

    def do_memory(self) -> None:
        while True:
            HELD.append(bytes(1 << 20))

    def do_recursion(self) -> None:
        self.do_recursion()

    def do_exit(self) -> None:
        raise SystemExit(1)

    def do_file(self) -> str:
        try:
            with open("/etc/passwd") as file:
                return file.read()
        except OSError as error:
            return type(error).__name__

    def do_print(self) -> str:
        print("printed\nin two lines")
        logging.getLogger("mine").warning("logged %d", 1)
        return "done"

    def do_time(self) -> str:
        return f"{clock.wall()} {time.time():.0f} {datetime.datetime.now(datetime.UTC).isoformat()}"

    def do_random(self) -> str:
        drawn = {random.random(), random.random(), BUILT}
        told = f"{len(host_random.bytes(8))} {len(secrets.token_hex(4))} {uuid.uuid4().version} {len(drawn)}"
        return f"{told} {random.random()}"

    def do_kv(self) -> str:
        kv.set("text", "some")
        try:
            kv.add("text")
        except KvError as error:
            reason = error.reason
        return f"{kv.add('n', 2)} {kv.get('text')!r} {kv.get('none')} {kv.delete('text')} {reason}"

    def do_metrics(self) -> str:
        metrics.add("asked", {"how": "well"}, 2)
        metrics.observe("took", 0.5)
        metrics.describe("asked", "counter", "Things that were asked.")
        metrics.describe("took_seconds", "histogram", unit="seconds", bounds=[1, 2.5])
        metrics.describe("took_seconds", "counter")
        return "counted"

    def do_http(self) -> str:
        try:
            return http.get("http://service/").body.decode()
        except HttpError as error:
            return error.reason
