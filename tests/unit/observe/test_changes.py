from __future__ import annotations

import pytest

from sentinel_host.abi.encode import encode_request_head, encode_response_head
from sentinel_host.messages import Edit, HeaderEdit, Origin, RequestEdits, RequestHead, ResponseEdits, ResponseHead
from sentinel_host.observe import Change
from sentinel_host.observe.changes import MOST_CHANGES, request_changes, response_changes

REQUEST = encode_request_head(
    RequestHead(
        method="GET",
        path="/a",
        query=None,
        headers=[(b"accept", b"a"), (b"x-one", b"1"), (b"accept", b"b"), (b"authorization", b"Bearer 1234")],
        scheme="http",
        authority="example.com",
        client="192.0.2.1",
        request_id="id",
        route="all",
        http_version="1.1",
    )
)
RESPONSE = encode_response_head(ResponseHead(200, [(b"server", b"s"), (b"set-cookie", b"a=1")], Origin.UPSTREAM))


@pytest.mark.parametrize(
    ("edits", "changes"),
    [
        ([(Edit.SET, b"x-two", b"2")], [Change("header", "x-two", (), ("2",))]),
        ([(Edit.SET, b"x-one", b"2")], [Change("header", "x-one", ("1",), ("2",))]),
        ([(Edit.SET, b"x-one", b"1")], []),
        ([(Edit.SET, b"accept", b"c")], [Change("header", "accept", ("a", "b"), ("c",))]),
        ([(Edit.APPEND, b"accept", b"c")], [Change("header", "accept", ("a", "b"), ("a", "b", "c"))]),
        ([(Edit.REMOVE, b"accept", b"")], [Change("header", "accept", ("a", "b"), ())]),
        ([(Edit.REMOVE, b"x-two", b"")], []),
        # The last word counts, in the order of the names that came first.
        (
            [(Edit.SET, b"x-two", b"2"), (Edit.REMOVE, b"x-one", b""), (Edit.REMOVE, b"x-two", b"")],
            [Change("header", "x-one", ("1",), ())],
        ),
        (
            [(Edit.REMOVE, b"x-one", b""), (Edit.APPEND, b"x-one", b"1"), (Edit.APPEND, b"x-one", b"2")],
            [Change("header", "x-one", ("1",), ("1", "2"))],
        ),
        # Secrets are told by their sizes. Another one of the same size is a change.
        (
            [(Edit.SET, b"authorization", b"Bearer 4321")],
            [Change("header", "authorization", ("(11 bytes)",), ("(11 bytes)",))],
        ),
        ([(Edit.SET, b"x-api-key", b"1234")], [Change("header", "x-api-key", (), ("(4 bytes)",))]),
        ([(Edit.SET, b"x-one", b"\xff\x1b")], [Change("header", "x-one", ("1",), ("�\\x1b",))]),
        ([(Edit.SET, b"x-one", b"2" * 300)], [Change("header", "x-one", ("1",), ("2" * 256 + "…",))]),
        (
            [(Edit.SET, b"x-%d" % number, b"") for number in range(MOST_CHANGES + 1)],
            [Change("header", f"x-{number}", (), ("",)) for number in range(MOST_CHANGES)],
        ),
    ],
)
def test_edits_of_fields_are_told_by_what_they_change(edits: list[HeaderEdit], changes: list[Change]) -> None:
    assert request_changes(REQUEST, RequestEdits(edits)) == changes


@pytest.mark.parametrize(
    ("edits", "changes"),
    [
        (RequestEdits(context=b"kept"), []),
        (RequestEdits(upstream="other"), [Change("upstream", after=("other",))]),
        (RequestEdits(method="PUT"), [Change("method", before=("GET",), after=("PUT",))]),
        (RequestEdits(path="/b"), [Change("path", before=("/a",), after=("/b",))]),
        (RequestEdits(query="c"), [Change("query", before=("",), after=("c",))]),
        (
            RequestEdits([(Edit.SET, b"x-one", b"2")], path="/b", upstream="other"),
            [
                Change("header", "x-one", ("1",), ("2",)),
                Change("path", before=("/a",), after=("/b",)),
                Change("upstream", after=("other",)),
            ],
        ),
    ],
)
def test_edits_of_a_request_are_told_by_what_they_change(edits: RequestEdits, changes: list[Change]) -> None:
    assert request_changes(REQUEST, edits) == changes


@pytest.mark.parametrize(
    ("edits", "changes"),
    [
        (ResponseEdits(), []),
        (ResponseEdits(status=503), [Change("status", before=("200",), after=("503",))]),
        (
            ResponseEdits([(Edit.SET, b"server", b"t"), (Edit.APPEND, b"set-cookie", b"b=22")], 404),
            [
                Change("header", "server", ("s",), ("t",)),
                Change("header", "set-cookie", ("(3 bytes)",), ("(3 bytes)", "(4 bytes)")),
                Change("status", before=("200",), after=("404",)),
            ],
        ),
    ],
)
def test_edits_of_a_response_are_told_by_what_they_change(edits: ResponseEdits, changes: list[Change]) -> None:
    assert response_changes(RESPONSE, edits) == changes
