"""The C that writes header fields, held to what Python says of the same fields."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sentinel_host.fields import (
    add_lines,
    add_unsampled_parent,
    field,
    first_fault,
    pack_record,
    read_head,
    write_request,
)

Fields = list[tuple[bytes, bytes]]

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch
TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+").fullmatch

tokens = st.from_regex(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,40}", fullmatch=True)
HEAD = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) [!\"$-~]+ HTTP/1\.([01])\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)

values = st.from_regex(rb"[\t\x20-\x7e\x80-\xff]{0,300}", fullmatch=True)


@given(st.lists(st.tuples(tokens, values), max_size=40))
def test_lines_are_names_and_values(fields: Fields) -> None:
    lines = [b"HTTP/1.1 200 OK", *(name + b": " + value for name, value in fields)]
    assert add_lines(lines[0], fields, b"\r\n\r\n") == b"\r\n".join(lines) + b"\r\n\r\n"
    assert add_lines(lines[0], tuple(fields), b"") == b"\r\n".join(lines)
    # As the lists of an ASGI application may come.
    assert add_lines(lines[0], [list(field) for field in fields], b"") == b"\r\n".join(lines)  # type: ignore[misc]
    assert first_fault(fields) == -1


@given(st.binary(max_size=60), st.binary(max_size=60))
@example(b"X-Api-Key[`{@Z", b"\t padded \t")
@example(b"x-lower", b"\t \t")
def test_a_field_is_read_in_lower_case_and_without_blanks(name: bytes, value: bytes) -> None:
    assert field(name, value) == (name.lower(), value.strip(b" \t"))


def test_what_a_field_is_read_from_stays_as_it_is() -> None:
    """CPython has one object for each byte."""
    assert field(b"X", b" ") == (b"x", b"")
    assert bytes([88]) == b"\x58"


@given(st.binary(max_size=40))
@example(b"")
def test_a_name_is_a_token(name: bytes) -> None:
    if TOKEN(name):
        assert add_lines(b"", [(name, b"x")], b"") == b"\r\n%b: x" % name
    else:
        with pytest.raises(ValueError, match=re.escape(f"malformed header name {name[:64]!r}")):
            add_lines(b"", [(b"fine", b""), (name, b"x")], b"")


@given(st.binary(max_size=40))
def test_a_value_holds_no_control_character(value: bytes) -> None:
    fields = [(b"fine", b"a"), (b"odd", value)]
    if VALUE(value):
        assert add_lines(b"", fields, b"").endswith(b"odd: " + value)
        assert first_fault(fields) == -1
    else:
        with pytest.raises(ValueError, match="control character in header b'odd'"):
            add_lines(b"", fields, b"")
        assert first_fault(fields) == 1


@pytest.mark.parametrize("place", range(20))
def test_every_byte_is_judged_wherever_it_stands(place: int) -> None:
    for byte in range(256):
        value = b"x" * place + bytes([byte]) + b"\x80" * (19 - place)
        assert first_fault([(b"a", value)]) == (-1 if VALUE(value) else 0)


@given(tokens | st.binary(max_size=10), st.binary(max_size=20), values | st.binary(max_size=10))
@example(b"GET", b"/", b"a\r\nx: y")
@example(b"GET", b"/ HTTP/1.1", b"a")
@example(b"GET ", b"/", b"a")
def test_a_request_begins_with_parts_that_stay_what_they_are(method: bytes, target: bytes, host: bytes) -> None:
    if TOKEN(method) and TARGET(target) and VALUE(host):
        start = b"%b %b HTTP/1.1\r\nhost: %b" % (method, target, host)
        assert write_request(method, target, host, [(b"a", b"b")], b"\r\n\r\n") == start + b"\r\na: b\r\n\r\n"
    else:
        with pytest.raises(ValueError, match=r"malformed (method|request target|host) b"):
            write_request(method, target, host, [], b"")


TRACE_ID = "0123456789abcdeffedcba9876543210"
UNSAMPLED = (b"traceparent", b"00-0123456789abcdeffedcba9876543210-fedcba9876543210-00")


@pytest.mark.parametrize("fields", [[], [(b"host", b"a"), (b"traceparens", b""), [b"traceparent-x", b"1"]]])
def test_an_unsampled_request_tells_of_its_trace_behind_all_else(fields: Fields) -> None:
    told = list(fields)
    add_unsampled_parent(told, b"traceparent", TRACE_ID)
    assert told == [*fields, UNSAMPLED]
    # What is there stands, whoever added it.
    add_unsampled_parent(told, b"traceparent", TRACE_ID[::-1])
    assert told == [*fields, UNSAMPLED]
    listed: Any = [*fields, list(UNSAMPLED)]
    add_unsampled_parent(listed, b"traceparent", TRACE_ID)
    assert listed == [*fields, list(UNSAMPLED)]


@pytest.mark.parametrize("trace_id", ["", TRACE_ID[1:], TRACE_ID + "0", "é" * 32, "\u2020" * 32])
def test_a_trace_has_an_id_of_32_digits(trace_id: str) -> None:
    fields: Fields = []
    with pytest.raises(ValueError, match="the id of a trace has 32 digits"):
        add_unsampled_parent(fields, b"traceparent", trace_id)
    assert fields == []


@pytest.mark.parametrize("wrong", [None, (b"a",), (b"traceparent", "b"), ("traceparent", b"")])
def test_a_trace_is_not_told_of_beside_what_is_no_field(wrong: Any) -> None:
    fields = [(b"a", b"b"), wrong]
    with pytest.raises(ValueError, match="a header is a pair of byte strings"):
        add_unsampled_parent(fields, b"traceparent", TRACE_ID)
    assert len(fields) == 2


@pytest.mark.parametrize("arguments", [([],), ((), b"a", TRACE_ID), ([], "a", TRACE_ID), ([], b"a", b"0" * 32)])
def test_a_trace_is_told_of_in_a_list(arguments: Any) -> None:
    with pytest.raises(TypeError, match="add_unsampled_parent"):
        add_unsampled_parent(*arguments)


def expected_head(data: bytes) -> tuple[int, bytes, bool] | None:
    match = HEAD.match(data)
    return None if match is None else (match.end(), match[1], match[2] == b"1")


heads = st.from_regex(HEAD, fullmatch=True)


@given(heads, st.binary(max_size=20))
def test_a_head_is_read_to_its_end(head: bytes, rest: bytes) -> None:
    length, method, http11 = expected_head(head) or (0, b"", False)
    fields = head.count(b"\r\n") - 2
    assert read_head(head + rest, 10_000_000, 10_000) == (length, method, http11) == expected_head(head + rest)
    assert read_head(head + rest, len(head), fields) == (length, method, http11)
    assert read_head(head + rest, len(head) - 1, fields) is None
    assert read_head(head + rest, len(head), fields - 1) is None


@given(heads, st.data())
def test_a_head_with_other_bytes_is_read_as_the_pattern_says(head: bytes, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(head)))
    end = data.draw(st.integers(begin, min(len(head), begin + 3)))
    inserted = data.draw(st.binary(max_size=3) | st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\r\n "]))
    changed = head[:begin] + inserted + head[end:]
    assert read_head(changed, 10_000_000, 10_000) == expected_head(changed)


@pytest.mark.parametrize(
    "head", [b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n", b"A * HTTP/1.0\r\n\r\n", b"A * HTTP/1.1\r\nb:\r\n\r\n"]
)
def test_every_byte_of_a_head_matters_as_the_pattern_says(head: bytes) -> None:
    for place in range(len(head) + 1):
        assert read_head(head[:place], 1000, 10) == expected_head(head[:place])
        for byte in range(256):
            for changed in (
                head[:place] + bytes([byte]) + head[place + 1 :],
                head[:place] + bytes([byte]) + head[place:],
            ):
                assert read_head(changed, 1000, 10) == expected_head(changed)


@given(
    st.lists(
        st.none()
        | st.text(max_size=300)
        | st.integers(0, 2**64 - 1)
        | st.binary(max_size=300)
        | st.lists(st.tuples(tokens, st.binary(max_size=400)), max_size=40),
        max_size=32,
    )
)
def test_a_record_is_an_array_of_its_values(values: list[Any]) -> None:
    expected = [
        [[name.decode(), value] for name, value in value] if isinstance(value, list) else value for value in values
    ]
    assert pack_record(*values) == msgpack.packb(expected, use_bin_type=True)


@pytest.mark.parametrize("size", [0, 15, 16, 31, 32, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1])
def test_lengths_and_numbers_take_the_shortest_form(size: int) -> None:
    values: list[Any] = [size]
    if size < 70_000:
        values += ["n" * size, b"v" * size, [(b"n" * size, b"v" * size)], [(b"n", b"v")] * size]
    for value in values:
        expected = [[name.decode(), text] for name, text in value] if isinstance(value, list) else value
        assert pack_record(value) == msgpack.packb([expected], use_bin_type=True)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_numbers_that_no_record_has_are_refused(value: int) -> None:
    with pytest.raises(OverflowError):
        pack_record("x", value)


def test_other_values_are_refused() -> None:
    with pytest.raises(TypeError, match=r"not 1\.5"):
        pack_record(1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="at most 32"):
        pack_record(*[None] * 33)
    with pytest.raises(UnicodeEncodeError):
        pack_record("\ud800")


@pytest.mark.parametrize(
    "odd", [None, 7, b"ab", ("a", b"b"), (b"a", "b"), (b"a",), (b"a", b"b", b"c"), [bytearray(), b""]]
)
@pytest.mark.parametrize(
    "function",
    [
        lambda fields: add_lines(b"", fields, b""),
        lambda fields: write_request(b"GET", b"/", b"", fields, b""),
        first_fault,
        pack_record,
    ],
)
def test_what_is_no_pair_of_bytes_is_refused(function: Callable[[Any], object], odd: object) -> None:
    with pytest.raises(ValueError, match="a header is a pair of byte strings"):
        function([(b"fine", b""), odd])


def test_arguments_of_other_types_are_refused() -> None:
    for function in (first_fault, lambda fields: add_lines(b"", fields, b"")):
        with pytest.raises(TypeError, match="sequence of pairs"):
            function(7)  # type: ignore[no-untyped-call,arg-type]
    with pytest.raises(TypeError):
        add_lines("start", [], b"")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        field(b"name", "value")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        write_request(b"GET", "/", b"", [], b"")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        read_head("GET / HTTP/1.1\r\n\r\n", 100, 100)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        read_head(b"GET / HTTP/1.1\r\n\r\n", "100", 100)  # type: ignore[arg-type]


def test_nothing_is_kept() -> None:
    fields = [(bytes([97 + number]) * 9, bytes([48 + number]) * 900) for number in range(9)]
    odd = [*fields, (b"odd\n", b"")]
    head = b"GET / HTTP/1.1\r\nhost: %b\r\n\r\n" % bytes([97])
    objects = [fields, odd, head, *fields, *(part for field in fields for part in field)]
    before = [sys.getrefcount(each) for each in objects]
    for _ in range(1000):
        add_lines(b"", fields, b"")
        pack_record(fields, "text", b"bytes", 7, None)
        first_fault(fields)
        read_head(head, 1000, 10)
        write_request(fields[0][0], fields[0][1], fields[1][1], fields, b"")
        with pytest.raises(ValueError, match="name"):
            add_lines(b"", odd, b"")
        with pytest.raises(ValueError, match="pair"):
            pack_record([*fields, None])  # type: ignore[list-item]
    assert [sys.getrefcount(each) for each in objects] == before
