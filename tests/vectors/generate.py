"""Writes ``vectors.json``: what records look like in bytes, by the msgpack package and
``wit/ABI.md``.

``python tests/vectors/generate.py`` rewrites the file, ``--check`` only says whether it is up to
date.

``answers`` are what a guest returns: ``ops`` tells the conformance guests what to do (their sources
list them), and ``bytes`` is what must come out. ``records`` are what the host sends: ``fields`` in
WIT order, their ``bytes``, and the ``dump`` that the conformance guests make of them; those of
``other_version`` come from an earlier or a later host. ``hostile`` are answers that the host must
refuse.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgpack

FILE = Path(__file__).with_name("vectors.json")

SET, APPEND, REMOVE = 0, 1, 2
LONG = "v" * 300


def pack(value: Any) -> str:
    return bytes(msgpack.packb(value, use_bin_type=True)).hex()


def edits(*fields: Any) -> str:
    return pack([0, list(fields)])


def respond(status: int, headers: list[list[str]], body: bytes, *context: bytes) -> str:
    return pack([1, [[status, [[name, value.encode()] for name, value in headers], body], *context]])


def header(kind: int, name: str, value: str) -> list[Any]:
    return [kind, [name, value.encode()]]


def answers() -> list[dict[str, Any]]:
    request: list[tuple[str, list[Any], str]] = [
        ("nothing is one byte", [], "c0"),
        ("set a header", [["set", "x-a", "1"]], edits([header(SET, "x-a", "1")])),
        ("append a header", [["append", "x-a", "1"]], edits([header(APPEND, "x-a", "1")])),
        ("remove a header", [["remove", "x-a"]], edits([[REMOVE, "x-a"]])),
        ("empty value", [["set", "x-a", ""]], edits([header(SET, "x-a", "")])),
        ("value beyond bin 8", [["set", "x-long", LONG]], edits([header(SET, "x-long", LONG)])),
        ("name beyond fixstr", [["set", "x-" + "n" * 40, "1"]], edits([header(SET, "x-" + "n" * 40, "1")])),
        (
            "more edits than fixarray holds",
            [["append", "x-n", str(n)] for n in range(20)],
            edits([header(APPEND, "x-n", str(n)) for n in range(20)]),
        ),
        (
            "order is kept",
            [["remove", "b"], ["set", "a", "1"], ["append", "a", "2"]],
            edits([[REMOVE, "b"], header(SET, "a", "1"), header(APPEND, "a", "2")]),
        ),
        ("context alone", [["context", "state"]], edits([], b"state")),
        ("path", [["path", "/new"]], edits([], b"", "/new")),
        ("query", [["query", "a=1"]], edits([], b"", None, "a=1")),
        ("removed query", [["query", ""]], edits([], b"", None, "")),
        ("method", [["method", "PUT"]], edits([], b"", None, None, "PUT")),
        ("upstream", [["upstream", "blue"]], edits([], b"", None, None, None, "blue")),
        ("body skip is the default", [["body", "skip"]], "c0"),
        ("body stream", [["body", "stream"]], edits([], b"", None, None, None, None, [1])),
        ("body buffer", [["body", "buffer", 1024]], edits([], b"", None, None, None, None, [2, 1024])),
        (
            "body buffer of 2**32 - 1",
            [["body", "buffer", 2**32 - 1]],
            edits([], b"", None, None, None, None, [2, 2**32 - 1]),
        ),
        (
            "everything",
            [
                ["set", "x", "1"],
                ["context", "c"],
                ["path", "/p"],
                ["query", "q"],
                ["method", "M"],
                ["upstream", "u"],
                ["body", "stream"],
            ],
            edits([header(SET, "x", "1")], b"c", "/p", "q", "M", "u", [1]),
        ),
        ("respond", [["respond", 204, [], ""]], respond(204, [], b"")),
        (
            "respond with headers and body",
            [["respond", 401, [["www-authenticate", "Basic"], ["x", "y"]], "no"]],
            respond(401, [["www-authenticate", "Basic"], ["x", "y"]], b"no"),
        ),
        ("respond with context", [["context", "c"], ["respond", 200, [], ""]], respond(200, [], b"", b"c")),
        ("body beyond bin 8", [["respond", 200, [], "b" * 300]], respond(200, [], b"b" * 300)),
    ]
    response: list[tuple[str, list[Any], str]] = [
        ("nothing is one byte", [], "c0"),
        ("set a header", [["set", "x-a", "1"]], edits([header(SET, "x-a", "1")])),
        ("status", [["status", 418]], edits([], 418)),
        ("body stream", [["body", "stream"]], edits([], None, [1])),
        ("body buffer", [["body", "buffer", 65536]], edits([], None, [2, 65536])),
        ("respond", [["respond", 500, [["a", "b"]], "x"]], pack([1, [500, [["a", b"b"]], b"x"]])),
    ]
    chunk: list[tuple[str, list[Any], str]] = [
        ("nothing is one byte", [], "c0"),
        ("replace", [["replace", "abc"]], pack([0, b"abc"])),
        ("replace by nothing", [["replace", ""]], pack([0, b""])),
        ("respond", [["respond", 413, [], "big"]], pack([1, [413, [], b"big"]])),
        ("edit the head", [["edit-head", [["set", "x", "1"]], "new"]], pack([2, [[[header(SET, "x", "1")]], b"new"]])),
        ("edit the head, keep the chunk", [["edit-head", [["remove", "x"]], None]], pack([2, [[[[REMOVE, "x"]]]]])),
    ]
    table = [("on-request", request), ("on-response", response)]
    table += [("on-request-chunk", chunk), ("on-response-chunk", chunk)]
    return [{"name": name, "hook": hook, "ops": ops, "bytes": data} for hook, rows in table for name, ops, data in rows]


REQUEST_FIELDS = (
    "method",
    "path",
    "query",
    "headers",
    "scheme",
    "authority",
    "client",
    "request-id",
    "route",
    "http-version",
)
# The last field is left out by a host whose client showed none.
CERTIFIED_FIELDS = (*REQUEST_FIELDS, "client-certificate")
RESPONSE_FIELDS = ("status", "headers", "origin")
SUMMARY_FIELDS = (
    "request-id",
    "method",
    "path",
    "query",
    "route",
    "authority",
    "client",
    "http-version",
    "started-at",
    "duration",
    "status",
    "request-bytes",
    "response-bytes",
    "outcome",
    "origin",
    "upstream",
    "upstream-duration",
    "endpoint",
    "tries",
)
ENUMS = {
    "origin": ("upstream", "guest", "gateway"),
    "outcome": ("completed", "client-aborted", "upstream-aborted", "gateway-aborted"),
}


def escape(value: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x5C else f"\\x{byte:02x}" for byte in value)


def dump(fields: dict[str, Any], context: bytes | None) -> str:
    lines = []
    for name, value in fields.items():
        if name == "headers":
            lines += [f"header={header_name}: {escape(data)}" for header_name, data in value]
        elif name in ENUMS:
            lines.append(f"{name}={ENUMS[name][value]}")
        elif name == "client-certificate":
            subject, names, sha256, verified = value
            shown = f"{subject} {','.join(names)} {sha256} {str(verified).lower()}"
            lines.append(f"{name}={escape(shown.encode())}")
        elif value is not None:
            lines.append(f"{name}={escape(str(value).encode())}")
    if context is not None:
        lines.append(f"context={escape(context)}")
    return "\n".join(lines)


def record(
    name: str,
    hook: str,
    names: tuple[str, ...],
    values: list[Any],
    context: bytes | None,
    extra: Any = (),
    count: int | None = None,
) -> Any:
    """A record of these values, of which the bytes have the first ``count`` and then ``extra``."""
    fields = dict(zip(names, values, strict=True))
    shown = {
        key: [[header_name, data.hex()] for header_name, data in value] if key == "headers" else value
        for key, value in fields.items()
    }
    sent = [[[*pair] for pair in value] if isinstance(value, list) else value for value in values][:count]
    data = pack([*sent, *extra])
    return {
        "name": name,
        "hook": hook,
        "fields": shown,
        "context": None if context is None else context.hex(),
        "other_version": bool(extra) or count is not None,
        "bytes": data,
        "dump": dump(fields, context),
    }


def records() -> list[dict[str, Any]]:
    plain = ["GET", "/a", "b=1", [("host", b"h")], "http", "h", "127.0.0.1", "r1", "/", "1.1"]
    bare = ["OPTIONS", "*", None, [], "https", "", "", "r", "api", "2"]
    many = [("x-n", str(n).encode()) for n in range(40)]
    odd = ["GET", "/" + "p" * 300, "q" * 300, [("x-bin", bytes(range(128, 256))), ("x-odd", b"\\"), *many]]
    odd += ["http", "h", "::1", "r-" + "i" * 60, "route \u00e9", "1.0"]
    certificate = ("CN=alice,O=Example", ["DNS:a.test", "URI:spiffe://example.org/a"], "0f" * 32, True)
    summary = [
        "r1",
        "GET",
        "/a",
        "b=1",
        "/",
        "h",
        "127.0.0.1",
        "1.1",
        1_700_000_000_000_000,
        1234,
        200,
        0,
        5,
        0,
        0,
        "origin",
        900,
        "http://10.0.0.1:9000",
        3,
    ]
    aborted = ["r", "POST", "/", None, "x", "", "", "2", 0, 0, 0, 2**40, 2**63, 3, 2, None, None, None, 0]
    earlier = [*summary[:17], None, 0]
    return [
        record("plain request", "on-request", REQUEST_FIELDS, plain, None),
        record("bare request", "on-request", REQUEST_FIELDS, bare, None),
        record("every form of length", "on-request", REQUEST_FIELDS, odd, None),
        record("request with a client certificate", "on-request", CERTIFIED_FIELDS, [*plain, certificate], None),
        record(
            "fields of a later version are ignored",
            "on-request",
            REQUEST_FIELDS,
            plain,
            None,
            [None, [1, [2, None]], 3.5],
        ),
        record("plain response", "on-response", RESPONSE_FIELDS, [200, [("a", b"b")], 0], b""),
        record("response of a guest with context", "on-response", RESPONSE_FIELDS, [404, [], 1], b"st\x00ate"),
        record("response of a later version", "on-response", RESPONSE_FIELDS, [599, [], 2], b"", ["x"]),
        record("plain summary", "on-complete", SUMMARY_FIELDS, summary, b""),
        record("aborted summary", "on-complete", SUMMARY_FIELDS, aborted, b"\xff"),
        record("summary of an earlier version", "on-complete", SUMMARY_FIELDS, earlier, b"", count=17),
        record("summary of a later version", "on-complete", SUMMARY_FIELDS, summary, b"", [None, [1]]),
    ]


def hostile() -> list[dict[str, str]]:
    def edit(*entries: Any) -> str:
        return edits(list(entries))

    rows = [
        ("not MessagePack", "c1"),
        ("truncated", "92"),
        ("four GiB announced", "c6ffffffff"),
        ("deeply nested", "91" * 5000 + "c0"),
        ("bytes after the value", "c0c0"),
        ("invalid UTF-8", "9200" + "9191" + "9202a2fffe"),
        ("a map instead of an array", "80"),
        ("an empty array", "90"),
        ("an unknown case", pack([2, []])),
        ("a negative case", pack([-1, []])),
        ("a case that is a boolean", pack([True, []])),
        ("edits that are no array", pack([0, 5])),
        ("headers that are no array", pack([0, [5]])),
        ("an unknown kind of edit", edit([3, "x"])),
        ("a name in upper case", edit([SET, ["X-A", b"1"]])),
        ("a name with a space", edit([SET, ["x a", b"1"]])),
        ("a name with a line end", edit([SET, ["x\r\ny", b"1"]])),
        ("an empty name", edit([SET, ["", b"1"]])),
        ("a name that is no ASCII", edit([SET, ["x\u00e9", b"1"]])),
        ("a name that is bin", edit([SET, [b"x", b"1"]])),
        ("a value that is str", edit([SET, ["x", "1"]])),
        ("a value with CR LF", edit([SET, ["x", b"1\r\ny: 2"]])),
        ("a value with LF", edit([APPEND, ["x", b"1\n"]])),
        ("a value with NUL", edit([SET, ["x", b"\x00"]])),
        ("a value with DEL", edit([SET, ["x", b"\x7f"]])),
        ("a header without value", edit([SET, ["x"]])),
        ("content-length", edit([SET, ["content-length", b"1"]])),
        ("transfer-encoding", edit([SET, ["transfer-encoding", b"chunked"]])),
        ("connection", edit([APPEND, ["connection", b"close"]])),
        ("host", edit([SET, ["host", b"evil"]])),
        ("removal of host", edit([REMOVE, "host"])),
        ("a pseudo-header", edit([SET, [":path", b"/"]])),
        ("more edits than allowed", edit(*[[REMOVE, "x"]] * 129)),
        ("context that is str", edits([], "c")),
        ("a path without slash", edits([], b"", "x")),
        ("a path with a dot segment", edits([], b"", "/a/../b")),
        ("a path with an escaped slash", edits([], b"", "/a%2Fb")),
        ("a path that is not in canonical form", edits([], b"", "/%61")),
        ("a path with a query", edits([], b"", "/a?b")),
        ("a path with CR LF", edits([], b"", "/a\r\nX: 1")),
        ("a query with a space", edits([], b"", None, "a b")),
        ("a query with a fragment", edits([], b"", None, "a#b")),
        ("a method with a space", edits([], b"", None, None, "GET T")),
        ("the method CONNECT", edits([], b"", None, None, "CONNECT")),
        ("an unknown body mode", edits([], b"", None, None, None, None, [3])),
        ("a buffer without size", edits([], b"", None, None, None, None, [2])),
        ("a buffer beyond u32", edits([], b"", None, None, None, None, [2, 2**32])),
        ("an answer without response", pack([1, []])),
        ("a response without body", pack([1, [[200, []]]])),
        ("a status of 99", respond(99, [], b"")),
        ("a status of 101", respond(101, [], b"")),
        ("a status of 600", respond(600, [], b"")),
        ("a status that is a boolean", pack([1, [[True, [], b""]]])),
        ("a body that is str", pack([1, [[200, [], "x"]]])),
        ("more headers than allowed", respond(200, [["x", "y"]] * 129, b"")),
    ]
    return [{"name": name, "bytes": data} for name, data in rows]


def main() -> int:
    vectors = {"answers": answers(), "records": records(), "hostile": hostile()}
    text = json.dumps(vectors, indent=1) + "\n"
    if "--check" in sys.argv:
        if FILE.read_text() != text:
            print(f"{FILE.name} is out of date: run python tests/vectors/generate.py", file=sys.stderr)
            return 1
        return 0
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
