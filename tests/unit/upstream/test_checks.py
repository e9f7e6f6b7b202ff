"""When a check changes what is known, and what of gRPC's health service means that an endpoint is
well.
"""

from __future__ import annotations

import struct

import pytest

from sentinel_host.upstream.checks import CheckState
from sentinel_host.upstream.grpc_probe import encode_request, judge
from sentinel_host.upstream.probe import Unwell

WELL, BAD = True, False
# A success while no endpoint serves.
ALONE = "alone"


@pytest.mark.parametrize(
    ("answers", "changes", "flaps"),
    [
        ([WELL], [0], 0),
        ([BAD], [0], 0),
        ([WELL, BAD, BAD, WELL, BAD, BAD, WELL], [0], 0),
        ([WELL, BAD, BAD, BAD], [0, 3], 1),
        ([BAD, WELL, BAD, WELL, WELL], [0, 4], 1),
        ([WELL, BAD, BAD, BAD, BAD, WELL, WELL, BAD, BAD, BAD], [0, 3, 6, 9], 3),
    ],
)
def test_several_answers_in_a_row_change_what_is_known(answers, changes, flaps):
    state = CheckState(down=3, up=2)
    assert [number for number, well in enumerate(answers) if state.answered(well)] == changes
    assert state.flaps == flaps


@pytest.mark.parametrize(
    ("answers", "changes", "flaps"),
    [
        ([BAD, ALONE], [0, 1], 1),
        ([BAD, BAD, BAD, ALONE], [0, 3], 1),
        ([BAD, WELL, ALONE], [0, 2], 1),
        # The success before does not count any more.
        ([BAD, WELL, BAD, WELL, ALONE], [0, 4], 1),
        # It stays for as long as any other: one failure in three does not take it out.
        ([BAD, ALONE, BAD, BAD, WELL, BAD, BAD, WELL], [0, 1], 1),
        ([BAD, ALONE, BAD, BAD, BAD], [0, 1, 4], 2),
        # The next one needs several again.
        ([BAD, ALONE, BAD, BAD, BAD, WELL, WELL], [0, 1, 4, 6], 3),
    ],
)
def test_one_success_is_enough_while_none_serves(answers, changes, flaps):
    state = CheckState(down=3, up=2)
    given = [state.answered(answer is not BAD, none_serves=answer is ALONE) for answer in answers]
    assert [number for number, changed in enumerate(given) if changed] == changes
    assert state.flaps == flaps


def test_failures_count_alike_whoever_serves():
    state = CheckState(down=3, up=2, healthy=True)
    assert [state.answered(BAD, none_serves=True) for _ in range(3)] == [False, False, True]


def message(status: int) -> bytes:
    body = bytes([8, status]) if status else b""
    return struct.pack("!BI", 0, len(body)) + body


OK = {":status": "200", "grpc-status": "0"}


def test_serving_is_well():
    judge(OK, message(1))
    judge({":status": "200"}, message(1))


@pytest.mark.parametrize(
    ("fields", "body", "reason"),
    [
        (OK, message(0), "UNKNOWN"),
        (OK, message(2), "NOT_SERVING"),
        (OK, message(3), "SERVICE_UNKNOWN"),
        (OK, b"", "no gRPC message"),
        (OK, b"\1" + message(1)[1:], "no gRPC message"),
        (OK, message(1) + b"x", "no gRPC message"),
        ({":status": "404"}, b"", "answered with 404"),
        ({}, b"", "answered with"),
        ({":status": "200", "grpc-status": "12", "grpc-message": "no"}, b"", "grpc-status 12 no"),
    ],
)
def test_everything_else_is_not(fields, body, reason):
    with pytest.raises(Unwell, match=reason):
        judge(fields, body)


def test_a_request_names_its_service():
    assert encode_request("") == b""
    assert encode_request("a.B") == b"\x0a\x03a.B"
    assert encode_request("x" * 200)[:3] == b"\x0a\xc8\x01"
