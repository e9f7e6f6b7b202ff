from __future__ import annotations

import dataclasses
import json
import random
import re
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sentinel_host.config.access_layout import DEFAULT_FIELDS, FIELDS, check_layout
from sentinel_host.messages import Origin, Outcome, Summary
from sentinel_host.observe._access import Lines
from sentinel_host.observe.access_format import layout_of
from sentinel_host.observe.access_log import AccessLog
from sentinel_host.sandbox.text import escape

Entry = tuple[Summary, str, str, str]

ENTRY: Entry = (
    Summary(
        request_id="r1",
        method="GET",
        path="/a",
        query="b=1",
        route="all",
        authority="gateway.example",
        client="2001:db8::1",
        http_version="1.1",
        started_at=1_700_000_000_123_456,
        duration=1500,
        status=200,
        request_bytes=0,
        response_bytes=5,
        outcome=Outcome.CLIENT_ABORTED,
        origin=Origin.UPSTREAM,
        upstream="origin",
        upstream_duration=1200,
        endpoint="http://127.0.0.1:9000",
        tries=2,
    ),
    "4bf92f3577b34da6a3ce929d0e0e4736",
    'curl "8"',
    "",
)
BARE: Entry = Summary("", "GET", "/", None, "", "", "", "2", 0), "", "", ""


def lines(layout: str, *fields: str, entry: Entry = ENTRY) -> list[bytes]:
    check_layout(layout, fields)
    made = layout_of(layout, fields).lines()
    size = made.add(*entry)
    assert made.add(*entry) == 2 * size
    taken = made.take()
    assert (len(taken), made.take()) == (2 * size, b"")
    return taken.splitlines(keepends=True)


def test_json_has_the_usual_fields() -> None:
    first, second = lines("json")
    assert first == second
    assert first.endswith(b"\n")
    assert json.loads(first) == {
        "time": "2023-11-14T22:13:20.123Z",
        "request_id": "r1",
        "client": "2001:db8::1",
        "method": "GET",
        "path": "/a",
        "status": 200,
        "duration_ms": 1.5,
        "response_bytes": 5,
        "route": "all",
        "upstream": "origin",
        "endpoint": "http://127.0.0.1:9000",
        "outcome": "client-aborted",
    }


# What a line is, in Python: the rule that the C has to follow.


def rule_of_json(entry: Entry, fields: tuple[str, ...]) -> str:
    return json.dumps(dict(zip(fields, values_of(entry, fields), strict=True)), separators=(",", ":")) + "\n"


def rule_of_text(entry: Entry, fields: tuple[str, ...]) -> str:
    return "|".join("-" if value in (None, "") else escape(str(value)) for value in values_of(entry, fields)) + "\n"


def rule_of_apache(entry: Entry) -> str:
    summary, _, agent, referer = entry
    target = summary.path if summary.query is None else f"{summary.path}?{summary.query}"
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(summary.started_at // 1_000_000))
    request = quoted(f"{summary.method} {target} HTTP/{summary.http_version}")
    line = f"{escape(summary.client) or '-'} - - [{when}] {request} {summary.status} {summary.response_bytes or '-'}"
    return f"{line} {quoted(referer or '-')} {quoted(agent or '-')}\n"


def quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", escape(text)) + '"'


def values_of(entry: Entry, fields: tuple[str, ...]) -> list[Any]:
    summary, trace_id, agent, referer = entry
    seconds, rest = divmod(summary.started_at, 1_000_000)
    upstream = summary.upstream_duration
    beside = {
        "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:03d}Z",
        "trace_id": trace_id,
        "user_agent": agent,
        "referer": referer,
        "outcome": summary.outcome.name.lower().replace("_", "-"),
        "origin": summary.origin.name.lower(),
        "duration_ms": summary.duration / 1000,
        "upstream_ms": None if upstream is None else upstream / 1000,
    }
    return [beside[name] if name in beside else getattr(summary, name) for name in fields]


def some_entry(draw: random.Random) -> Entry:
    """An entry of texts and numbers that are at their edges more often than real ones."""
    parts = ["a", "/", '"', "\\", "\n", "\x1b", "\x7f", "\x00", "ä", "€", "\u2028", "\u202e", "😀", " ", "%", "{"]

    def text() -> str:
        return "".join(draw.choices(parts, k=draw.choice((0, 1, 3, 40))))

    def number() -> int:
        return draw.choice((0, 1, 9, 10, 999, 1000, 1010, 123_456, draw.getrandbits(40)))

    def maybe(make: Callable[[], Any]) -> Any:
        return make() if draw.random() < 0.7 else None

    summary = Summary(
        *(text(), text(), text(), maybe(text), text(), text(), text(), text(), draw.getrandbits(51)),
        duration=number(),
        status=draw.choice((0, 200, 404, 599)),
        request_bytes=number(),
        response_bytes=number(),
        outcome=draw.choice(list(Outcome)),
        origin=draw.choice(list(Origin)),
        upstream=maybe(text),
        upstream_duration=maybe(number),
        endpoint=maybe(text),
        tries=number(),
    )
    return summary, text(), text(), text()


def test_each_line_follows_the_rule() -> None:
    draw = random.Random(19)
    text = "|".join(f"{{{name}}}" for name in FIELDS)
    for _ in range(100):
        entry = some_entry(draw)
        for fields in (DEFAULT_FIELDS, FIELDS):
            line = lines("json", *fields, entry=entry)[0].decode()
            assert line.encode("ascii", "backslashreplace").count(b"\n") == 1
            assert json.loads(line) == json.loads(rule_of_json(entry, fields))
            # The same but for JSON's choices: characters beyond ASCII are written as they are.
            assert line == unescaped(rule_of_json(entry, fields))
        assert lines(text, entry=entry)[0].decode() == rule_of_text(entry, FIELDS)
        assert lines("combined", entry=entry)[0].decode() == rule_of_apache(entry)


def test_lines_that_share_values_follow_the_rule() -> None:
    draw = random.Random(20)
    some = [some_entry(draw) for _ in range(4)]
    names = [field.name for field in dataclasses.fields(Summary)]
    long = "€\n" * 3000
    made, short = layout_of("json", FIELDS).lines(), layout_of("{status}", ()).lines()
    for _ in range(20):
        entries = []
        for _ in range(draw.choice((1, 2, 30))):
            (summary, trace_id, *_), known = some_entry(draw), draw.choice(some)
            for name in draw.sample(names, 12):
                setattr(summary, name, getattr(known[0], name))
            # Batches outgrow their room.
            summary.query = draw.choice((long, some[0][0].query))
            entries.append((summary, trace_id, known[2], known[3]))
            made.add(*entries[-1])
            short.add(*entries[-1])
        assert made.take().decode() == "".join(unescaped(rule_of_json(entry, FIELDS)) for entry in entries)
        assert short.take().decode() == "".join(f"{entry[0].status}\n" for entry in entries)


def unescaped(line: str) -> str:
    return json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False) + "\n"


def test_what_has_no_utf8_is_replaced() -> None:
    summary = Summary("r", "GET", "/\ud800", None, "", "", "", "2", 0)
    assert b'"path":"/?"' in lines("json", entry=(summary, "", "", ""))[0]
    assert lines("{path}", entry=(summary, "", "", ""))[0] == b"/?\n"


def test_a_line_that_cannot_be_finished_is_none() -> None:
    made = layout_of("{path} {outcome}", ()).lines()
    size = made.add(*ENTRY)
    nameless: Any = SimpleNamespace(path="/", outcome=9)
    with pytest.raises(ValueError, match="outcome: 9 has no name"):
        made.add(nameless, "", "", "")
    with pytest.raises(AttributeError):
        made.add(object(), "", "", "")  # type: ignore[arg-type]
    made.add(SimpleNamespace(path="/b", outcome=Outcome.COMPLETED), "", "", "")  # type: ignore[arg-type]
    assert made.take() == b"/a client-aborted\n/b completed\n"
    assert size == len("/a client-aborted\n")
    # Nor has the next line anything of it.
    made = layout_of("{path} {method} {status}", ()).lines()
    half: Any = SimpleNamespace(path="/a", method="GET")
    with pytest.raises(AttributeError):
        made.add(half, "", "", "")
    made.add(SimpleNamespace(path="/longer", method=half.method, status=200), "", "", "")  # type: ignore[arg-type]
    assert made.take() == b"/longer GET 200\n"


def test_a_long_line_is_whole_and_its_room_given_back() -> None:
    long = "/" + '"' * 300_000
    made = layout_of("json", ("path",)).lines()
    made.add(Summary("r", "GET", long, None, "", "", "", "2", 0), "", "", "")
    assert json.loads(made.take()) == {"path": long}
    made.add(*ENTRY)
    assert made.take() == b'{"path":"/a"}\n'


@pytest.mark.parametrize(
    "piece",
    [
        (b"", "x", "path", ()),
        (b"", "jj", "path", ()),
        (b"", "j", 3, ()),
        (b"", "j", -1, ()),
        (b"", "j", None, ()),
        (b"", "e", 0, ()),
        (b"", "e", "outcome", ("completed",)),
        ("", "j", "path", ()),
        (b"", "j", "path"),
        [],
    ],
)
def test_a_piece_that_is_none_is_refused(piece: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        Lines(((b"", "j", "path", ()), piece), b"\n", escape)


def test_json_has_the_fields_that_were_chosen() -> None:
    told = json.loads(lines("json", "user_agent", "trace_id", "upstream_ms", "origin", "tries")[0])
    assert list(told) == ["user_agent", "trace_id", "upstream_ms", "origin", "tries"]
    assert told["user_agent"] == 'curl "8"'
    assert (told["upstream_ms"], told["origin"], told["tries"]) == (1.2, "upstream", 2)
    assert set(json.loads(lines("json", *FIELDS)[0])) == set(FIELDS)


@pytest.mark.parametrize(
    ("layout", "entry", "expected"),
    [
        ("common", ENTRY, '2001:db8::1 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b=1 HTTP/1.1" 200 5\n'),
        (
            "combined",
            ENTRY,
            '2001:db8::1 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b=1 HTTP/1.1" 200 5 "-" "curl \\"8\\""\n',
        ),
        ("common", BARE, '- - - [01/Jan/1970:00:00:00 +0000] "GET / HTTP/2" 0 -\n'),
        ("{status}", ENTRY, "200\n"),
        ("{method} {path}: {duration_ms} ms {{ok}}", ENTRY, "GET /a: 1.5 ms {ok}\n"),
        ("{user_agent}|{referer}|{query}", ENTRY, 'curl "8"|-|b=1\n'),
        ("{upstream}|{query}", BARE, "-|-\n"),
    ],
)
def test_other_layouts(layout: str, entry: Entry, expected: str) -> None:
    assert lines(layout, entry=entry) == [expected.encode()] * 2


def test_a_text_of_a_client_cannot_make_a_line() -> None:
    summary = Summary("", "GET", "/\r\n\x1b[2J", None, "", "", "", "1.1", 0)
    for layout in ("json", "common", "{path}"):
        for line in lines(layout, entry=(summary, "", "", "")):
            assert line.count(b"\n") == 1
            assert b"\x1b" not in line


@pytest.mark.parametrize(
    ("layout", "fields", "reason"),
    [
        ("json", ["colour"], "there is no field 'colour'"),
        ("common", ["status"], "for the format json only"),
        ("{colour}", [], "there is no field 'colour'"),
        ("{status:>5}", [], "takes nothing behind the name"),
        ("{status", [], "expected '}'"),
        ("nothing", [], "expected json, common, combined"),
        ("{status}\n", [], "one line of printable text"),
    ],
)
def test_what_is_no_layout_is_refused(layout: str, fields: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_layout(layout, fields)


def test_lines_are_handed_over_in_batches() -> None:
    batches: list[bytes] = []
    log = AccessLog(layout_of("{user_agent}|{referer}|{trace_id}", ()), batches.append)
    assert log.with_trace
    line = b"curl\\n|/|t\n"
    most = (1 << 16) // len(line) + 1
    for _ in range(most + 3):
        log.add(ENTRY[0], [(b"user-agent", b"curl\n"), (b"referer", b"/")], "t")
    assert batches == [line * most]
    log.flush()
    log.flush()
    assert batches == [line * most, line * 3]


def test_a_refused_request_has_a_line() -> None:
    batches: list[bytes] = []
    log = AccessLog(layout_of("{path} {query} {client} {status} {user_agent}", ()), batches.append)
    scope = {
        "method": "GET",
        "raw_path": b"/a\x00?q",
        "query_string": b"q",
        "client": ("::1", 1),
        "http_version": "1.1",
        "headers": [],
    }
    log.add_refused(scope, 404)
    log.flush()
    assert batches == [b"/a\\x00 q ::1 404 -\n"]
