from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel_host.config.access_layout import DEFAULT_FIELDS, FIELDS, check_layout
from sentinel_host.messages import Origin, Outcome, Summary
from sentinel_host.observe.access_format import formatter
from sentinel_host.observe.access_log import AccessLog, Entry

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
    return b"".join(formatter(layout, fields)[0]([entry, entry])).splitlines(keepends=True)


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


@pytest.mark.parametrize("path", ["/a", '/"', "/\\", "/\n", "/ä"])
def test_json_is_the_same_however_it_is_made(path: str) -> None:
    summary = Summary("r1", "GET", path, None, 'a "route"', "", "::1", "2", 1_700_000_000_123_456, 1500, 200)
    entry = (summary, "", "", "")
    usual = json.loads(lines("json", entry=entry)[0])
    assert usual == json.loads(lines("json", *reversed(DEFAULT_FIELDS), entry=entry)[0])


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


def test_entries_are_handed_over_in_batches() -> None:
    batches: list[Any] = []
    log = AccessLog(batches.append, with_fields=True)
    for _ in range(600):
        log.add(ENTRY[0], [(b"user-agent", b"curl\n"), (b"referer", b"/")], "t")
    assert [len(batch) for batch in batches] == [512]
    log.flush()
    log.flush()
    assert [len(batch) for batch in batches] == [512, 88]
    assert batches[0][0] == (ENTRY[0], "t", "curl\\n", "/")


def test_a_refused_request_has_an_entry() -> None:
    batches: list[Any] = []
    log = AccessLog(batches.append, with_fields=False)
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
    summary = batches[0][0][0]
    assert (summary.path, summary.query, summary.client, summary.status) == ("/a\\x00", "q", "::1", 404)
