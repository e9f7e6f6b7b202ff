"""The demo's probes: each sends a request to the running gateway and says what must be true of the
answer.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from upstream import BLOCK

MIB = 1 << 20
SIZE = 64 * MIB
MEMORY_GROWTH = 16 * MIB
KEY = {"x-api-key": "demo-key"}


@dataclass(frozen=True)
class Endpoint:
    """One process of the sample upstream, and where it listens."""

    address: str
    process: subprocess.Popen[str]


class Gateway:
    """A running gateway: where it listens, and what it logs. ``spare`` is an endpoint that it can
    do without.
    """

    def __init__(self, process: subprocess.Popen[str], spare: Endpoint) -> None:
        self.process = process
        self.spare = spare
        self.listeners: dict[str, str] = {}
        self._lines: list[str] = []
        self._more = threading.Condition()

    @property
    def public(self) -> str:
        """``host:port`` of the public side."""
        return self.listeners["public"]

    @property
    def admin(self) -> str:
        """``host:port`` of the admin side."""
        return self.listeners["admin"]

    def announced(self, line: str) -> bool:
        """Take up a line such as ``sentinel: public on http://127.0.0.1:8080``; false for any
        other.
        """
        match = re.match(r"sentinel: (\w+) on https?://(\S+)", line)
        if match:
            self.listeners[match[1]] = match[2]
        return match is not None

    def add_log_line(self, line: str) -> None:
        """Keep a line of the log."""
        with self._more:
            self._lines.append(line)
            self._more.notify_all()

    def wait_for_log(self, text: str, seconds: float = 5) -> bool:
        """Whether a line that holds the text is, or comes, there."""
        with self._more:
            return self._more.wait_for(lambda: any(text in line for line in self._lines), seconds)

    def memory(self) -> int:
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024

    def ask(self, path: str, headers: dict[str, str] | None = None, *, admin: bool = False) -> tuple[int, Any, Any]:
        """GET; returns status, header fields and the body, decoded where it is JSON."""
        connection = http.client.HTTPConnection(self.admin if admin else self.public, timeout=30)
        try:
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            body = response.read()
            is_json = response.headers.get_content_type() == "application/json"
            return response.status, response.headers, json.loads(body) if is_json else body
        finally:
            connection.close()


def pattern() -> Iterator[bytes]:
    """The bytes of a large body, piece by piece."""
    for _ in range(SIZE // len(BLOCK)):
        yield BLOCK


PATTERN_HASH = hashlib.sha256(BLOCK * (SIZE // len(BLOCK))).hexdigest()


def no_key(gateway: Gateway) -> bool:
    """Without a key: 401, and told how."""
    status, headers, _ = gateway.ask("/hello")
    return status == 401 and headers["www-authenticate"] is not None


def wrong_key(gateway: Gateway) -> bool:
    """With a wrong key: 403."""
    return gateway.ask("/hello", {"x-api-key": "wrong"})[0] == 403


def right_key(gateway: Gateway) -> bool:
    """With the right key: 200."""
    return gateway.ask("/hello", KEY)[0] == 200


def injected_header(gateway: Gateway) -> bool:
    """The upstream sees the injected header."""
    return ["x-gateway", "sentinel"] in gateway.ask("/hello", KEY)[2]["headers"]


def principal(gateway: Gateway) -> bool:
    """The upstream sees the principal, and not the one that the client forged."""
    headers = gateway.ask("/hello", KEY | {"x-principal": "root", "x_principal": "root"})[2]["headers"]
    return [value for name, value in headers if name in ("x-principal", "x_principal")] == ["demo"]


def response_header(gateway: Gateway) -> bool:
    """The client sees the header that was set on the response."""
    return bool(gateway.ask("/hello", KEY)[1]["x-served-by"] == "sentinel")


def access_log(gateway: Gateway) -> bool:
    """The access log has a line with the request's id."""
    request_id = gateway.ask("/logged", KEY)[1]["x-request-id"]
    return gateway.wait_for_log(request_id)


def rewritten_path(gateway: Gateway) -> bool:
    """/old/page reaches the upstream as /new/page."""
    return bool(gateway.ask("/old/page", KEY)[2]["path"] == "/new/page")


def upload(gateway: Gateway) -> bool:
    """A 64 MiB upload arrives whole."""
    connection = http.client.HTTPConnection(gateway.public, timeout=60)
    try:
        connection.request("POST", "/upload", body=pattern(), headers=KEY | {"content-length": str(SIZE)})
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return bool(answer == {"sha256": PATTERN_HASH, "bytes": SIZE})


def download(gateway: Gateway) -> bool:
    """A 64 MiB download arrives whole."""
    connection = http.client.HTTPConnection(gateway.public, timeout=60)
    digest = hashlib.sha256()
    try:
        connection.request("GET", f"/download/{SIZE // MIB}", headers=KEY)
        response = connection.getresponse()
        while chunk := response.read(65536):
            digest.update(chunk)
    finally:
        connection.close()
    return digest.hexdigest() == PATTERN_HASH


def ready(gateway: Gateway) -> bool:
    """The admin side says that every guest is in service."""
    return gateway.ask("/readyz", admin=True)[0] == 200


def metrics(gateway: Gateway) -> bool:
    """The admin side counts requests by route and status, and the public side has no metrics."""
    counted = b'sentinel_requests_total{route="main",status="401"}' in gateway.ask("/metrics", admin=True)[2]
    return counted and gateway.ask("/metrics")[0] == 401


def failover(gateway: Gateway) -> bool:
    """One of two endpoints is killed: of 200 requests none fails."""
    answers = []
    for number in range(200):
        if number == 50:
            gateway.spare.process.kill()
        answers.append(gateway.ask("/hello", KEY))
    asked = {value for _, _, said in answers[:50] for name, value in said["headers"] if name == "host"}
    return len(asked) == 2 and all(status == 200 for status, _, _ in answers)


PROBES: list[Callable[[Gateway], bool]] = [
    no_key,
    wrong_key,
    right_key,
    injected_header,
    principal,
    response_header,
    access_log,
    rewritten_path,
    upload,
    download,
    ready,
    metrics,
    failover,
]


def check(gateway: Gateway) -> bool:
    """Run every probe, one line each; the last one is about the memory that they took."""
    passed = True
    before = gateway.memory()
    for probe in PROBES:
        try:
            good, why = probe(gateway), ""
        except Exception as error:
            good, why = False, f" ({type(error).__name__}: {error})"
        passed &= good
        print(f"{'ok  ' if good else 'FAIL'} {(probe.__doc__ or '').strip()}{why}", flush=True)
    growth = gateway.memory() - before
    passed &= growth < MEMORY_GROWTH
    print(f"{'ok  ' if growth < MEMORY_GROWTH else 'FAIL'} Memory grew by {growth / MIB:.1f} MiB, less than 16.")
    return passed
