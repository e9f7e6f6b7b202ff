"""The C that decides what becomes of header fields, held to the same rules in Python."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sentinel_host.fields import FieldNames, is_plain_path
from sentinel_host.http.h2.hpack import message_frames

Fields = list[tuple[bytes, bytes]]

NUMBERS = {
    b"host": 5,
    b"connection": 8,
    b"content-length": 6,
    b"cookie": 10,
    b"te": 1,
    b"keep-alive": 1,
    b"x-forwarded-for": 3,
    b"x-forwarded-host": 3,
    b"x_principal": 2,
    b"x": 2,
}
PASSED = {b"connection": 2, b"te": 1, b"upgrade": 1, b"x-request-id": 1}
WRITTEN = {b"content-length": 1, b"date": 2, b"connection": 3, b"keep-alive": 4, b"te": 4}

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
LOWER_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch


def refusal_of(name: bytes, value: bytes) -> str | None:
    if not LOWER_TOKEN(name):
        return f"header name {name[:64]!r} is not a token"
    if not VALUE(value):
        return f"header {name[:64].decode('latin-1')}: value holds a control character"
    return None


def sorted_request(fields: Fields) -> tuple[Fields, list[tuple[int, bytes, bytes]] | None, bytes | None]:
    """The rules of admission, as its module had them."""
    kept: Fields = []
    special: list[tuple[int, bytes, bytes]] = []
    host: bytes | None = None
    for name, value in fields:
        refused = refusal_of(name, value)
        if refused is not None:
            raise ValueError(refused)
        number = NUMBERS.get(name)
        if number is None:
            number = 0
            if b"_" in name or b"." in name:
                number = 4
            elif name.startswith(b"x-forwarded-"):
                number = 13
        if number == 0:
            kept.append((name, value))
        elif number == 5 and host is None:
            host = value
        elif number != 1 and not (number == 8 and value.lower() in (b"close", b"keep-alive")):
            special.append((number, name, value))
    return kept, special or None, host


def passed_on(fields: Fields) -> Fields | None:
    for name, value in fields:
        if name == b"connection" and value.lower() not in (b"close", b"keep-alive"):
            return None
    return [field for field in fields if field[0] not in PASSED]


def checked_length(value: bytes, before: int) -> int:
    if before >= 0 or not value.isdigit() or len(value) > 18:
        raise ValueError(f"malformed or repeated content-length {value[:64]!r}")
    return int(value)


def listed_response(fields: Fields, has_length: bool) -> tuple[Fields, int, bool, bool]:
    """The fields of a response's head that are written, and what they say."""
    kept: Fields = []
    length, dated, close = -1, False, False
    for name, value in fields:
        number = WRITTEN.get(name.lower(), 0)
        if number == 1:
            length = checked_length(value, length)
        dated = dated or number == 2
        close = close or (number == 3 and b"close" in value.lower())
        if number in (3, 4) or (number == 1 and not has_length):
            continue
        if not TOKEN(name):
            raise ValueError(f"malformed header name {name[:64]!r}")
        if not VALUE(value):
            raise ValueError(f"control character in header {name[:64]!r}")
        kept.append((name, value))
    return kept, length, dated, close


def written_response(fields: Fields, has_length: bool) -> tuple[bytes, int, bool, bool]:
    kept, length, dated, close = listed_response(fields, has_length)
    return b"".join([b"line", *(b"\r\n%b: %b" % field for field in kept)]), length, dated, close


def lowered_response(fields: Fields, has_length: bool) -> tuple[Fields, int, bool]:
    kept, length, dated, _ = listed_response(fields, has_length)
    return [(name.lower(), value) for name, value in kept], length, dated


def outcome_of(function: Callable[..., object], *args: object) -> object:
    try:
        return function(*args)
    except ValueError as error:
        return str(error)


known = st.sampled_from(sorted(NUMBERS | PASSED | WRITTEN))
tokens = st.from_regex(rb"[!#$%&'*+\-.^_`|~0-9a-z]{1,40}", fullmatch=True)
# Nearly names: with a byte changed, in another case, or with more behind.
names = (
    known
    | tokens
    | st.builds(
        lambda name, at, byte: name[:at] + bytes([byte]) + name[at + 1 :], known, st.integers(0, 9), st.integers(0, 255)
    )
    | known.map(bytes.title)
    | st.builds(lambda name, more: name + more, known | st.just(b"x-forwarded-"), st.binary(max_size=9))
    | st.binary(max_size=80)
)
values = (
    st.sampled_from([b"", b"close", b"Close", b"keep-alive", b"KEEP-ALIVE", b"close, x", b"xclosed", b"7", b"07"])
    | st.from_regex(rb"[0-9]{1,20}", fullmatch=True)
    | st.from_regex(rb"[\t\x20-\x7e\x80-\xff]{0,40}", fullmatch=True)
    | st.binary(max_size=20)
)
fine = st.tuples(known | tokens, st.from_regex(rb"[\t\x20-\x7e\x80-\xff]{0,20}", fullmatch=True))
lists = st.lists(st.tuples(names, values), max_size=12) | st.lists(fine, max_size=40)


@given(lists)
@example([(b"host", b"a"), (b"host", b"b"), (b"connection", b"x"), (b"connection", b"Keep-Alive")])
@example([(b"x-forwarded-user", b""), (b"x-forwarded", b""), (b"x.y", b""), (b"a" * 300, b"1")])
def test_a_request_is_sorted(fields: Fields) -> None:
    sort = FieldNames(NUMBERS).sort_request
    assert outcome_of(sort, fields) == outcome_of(sorted_request, fields)


@given(lists)
@example([(b"connection", b"close"), (b"te", b"x"), (b"date", b"now")])
@example([(b"date", b"now"), (b"connection", b"date")])
def test_fields_are_passed_on(fields: Fields) -> None:
    names = FieldNames(PASSED)
    assert names.pass_on(fields) == passed_on(fields)
    assert names.has_any(fields) == any(name in PASSED for name, _ in fields)


@given(lists, st.booleans())
@example([(b"Content-Length", b"5"), (b"x-y", b""), (b"DATE", b"now"), (b"connection", b"xCLOSE")], True)
@example([(b"content-length", b"5")], False)
@example([(b"content-length", b"5"), (b"content-length", b"5")], False)
@example([(b"Keep-Alive", b"\n"), (b"a", b"\n")], False)
def test_a_response_is_written(fields: Fields, has_length: bool) -> None:
    names = FieldNames(WRITTEN)
    assert outcome_of(names.write_response, b"line", fields, has_length) == outcome_of(
        written_response, fields, has_length
    )
    assert outcome_of(names.list_response, fields, has_length) == outcome_of(lowered_response, fields, has_length)


DATE = b"Sun, 29 Nov 2026 21:00:00 GMT"


def framed_response(status: int, fields: Fields, data: bytes, frame: int) -> bytes | None:
    """What the two steps make of a response that is ordinary."""
    try:
        listed, length, is_dated = lowered_response(fields, True)
    except ValueError:
        return None
    written = [name for name, _ in fields if WRITTEN.get(name.lower(), 0) in (0, 1, 2)]
    is_ordinary = written == [name for name, _ in listed] and length == len(data)
    if not is_ordinary or not 200 <= status <= 999 or status in (204, 304) or len(data) > frame:
        return None
    return message_frames(7, status, listed if is_dated else [*listed, (b"date", DATE)], data, True, frame)


@given(
    lists, st.integers(0, 12), st.binary(max_size=40), st.sampled_from([99, 100, 199, 200, 204, 304, 404, 999, 1000])
)
@example([(b"DATE", b"now")], 0, b"", 200)
@example([(b"date", b"now"), (b"te", b"\n")], 0, b"x", 200)
@example([(b"a", b"\n")], 0, b"x", 200)
def test_an_ordinary_response_becomes_frames(fields: Fields, at: int, data: bytes, status: int) -> None:
    names = FieldNames(WRITTEN)
    for length in (b"%d" % len(data), b"0%d" % len(data), b"%d" % (len(data) + 1), b"x"):
        with_length = [*fields[:at], (b"content-length", length), *fields[at:]]
        for frame in (16_384, len(data), len(data) - 1, 60):
            made = names.frame_response(7, status, with_length, DATE, data, frame)
            assert made == framed_response(status, with_length, data, frame)
    assert names.frame_response(7, status, fields, DATE, data, 16_384) == framed_response(status, fields, data, 16_384)


def test_a_response_with_a_long_head_is_not_ordinary() -> None:
    names = FieldNames(WRITTEN)
    made = []
    for size in range(3_900, 4_100):
        fields = [(b"content-length", b"1"), (b"date", DATE), (b"x", b"y" * size)]
        made.append(names.frame_response(7, 200, fields, b"", b"z", 16_384))
        assert made[-1] in (None, framed_response(200, fields, b"z", 16_384))
    assert made[0] is not None
    assert made[-1] is None


@given(st.dictionaries(tokens, st.integers(1, 255), max_size=60), st.lists(tokens | names, max_size=20))
def test_a_name_has_the_number_that_it_was_given(numbers: dict[bytes, int], others: list[bytes]) -> None:
    table = FieldNames(numbers)
    for name in (*numbers, *others):
        assert table.number_of(name) == table.number_of(name.upper()) == numbers.get(name.lower(), 0)
        assert table.has_any([(name, b"")]) == (name in numbers)


def test_a_field_that_stays_as_it_is_is_the_same_object() -> None:
    field = (b"accept", b"*/*")
    assert FieldNames(NUMBERS).sort_request([field])[0][0] is field
    assert FieldNames(WRITTEN).list_response([field], True)[0][0] is field
    passed = FieldNames(PASSED).pass_on([field])
    assert passed is not None
    assert passed[0] is field


def test_lists_can_be_added_to() -> None:
    kept, _, _ = FieldNames(NUMBERS).sort_request([(b"te", b""), (b"a", b""), (b"te", b"")])
    kept += [(b"b", b"%d" % number) for number in range(9)]
    assert [name for name, _ in kept] == [b"a", *[b"b"] * 9]
    assert FieldNames({}).sort_request([]) == ([], None, None)


def test_fields_may_be_any_pairs() -> None:
    """As an ASGI application may write them."""
    fields = [[b"A", b"1"], (b"b", b"2")]
    table = FieldNames(WRITTEN)
    assert table.list_response(iter(fields), True)[0] == [(b"a", b"1"), (b"b", b"2")]  # type: ignore[arg-type]
    assert table.write_response(b"", tuple(fields), True)[0] == b"\r\nA: 1\r\nb: 2"  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", [None, 7, b"ab", ("a", b"b"), (b"a", "b"), (b"a",), (b"a", b"b", b"c")])
def test_what_is_no_pair_of_bytes_is_refused(odd: Any) -> None:
    table = FieldNames(WRITTEN)
    for function in (
        table.sort_request,
        table.pass_on,
        table.has_any,
        lambda fields: table.write_response(b"", fields, True),
        lambda fields: table.list_response(fields, True),
    ):
        with pytest.raises(ValueError, match="a header is a pair of byte strings"):
            function([(b"fine", b""), odd])
        with pytest.raises(TypeError, match="sequence of pairs"):
            function(7)


@pytest.mark.parametrize("odd", [None, b"ab", (b"a", "b"), (b"a",)])
def test_a_response_of_anything_else_than_pairs_is_left_to_others(odd: Any) -> None:
    fields: list[Any] = [(b"content-length", b"1"), odd]
    assert FieldNames(WRITTEN).frame_response(1, 200, fields, DATE, b"x", 16_384) is None


def test_arguments_of_other_types_are_refused() -> None:
    table = FieldNames(WRITTEN)
    calls: list[Callable[[], object]] = [
        lambda: FieldNames([]),  # type: ignore[arg-type]
        lambda: FieldNames(numbers={}),  # type: ignore[call-arg]
        lambda: FieldNames({b"a": "1"}),  # type: ignore[dict-item]
        lambda: table.write_response("", [], True),  # type: ignore[arg-type]
        lambda: table.write_response(b"", [], 1),  # type: ignore[arg-type]
        lambda: table.list_response([], None),  # type: ignore[arg-type]
        lambda: table.frame_response(1, 200, 7, b"", b"", 9),  # type: ignore[arg-type]
        lambda: table.frame_response(1, 200, [], "", b"", 9),  # type: ignore[arg-type]
        lambda: table.frame_response(1, 200, [], b"", bytearray(), 9),  # type: ignore[arg-type]
        lambda: table.frame_response("1", 200, [], b"", b"", 9),  # type: ignore[arg-type]
        lambda: table.frame_response(1, None, [], b"", b"", 9),  # type: ignore[arg-type]
        lambda: table.frame_response(1, 200, []),  # type: ignore[call-arg]
        lambda: is_plain_path(b"/"),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="malformed header name 'a'"):
        table.number_of("a")  # type: ignore[arg-type]
    for name, number in ((b"A", 1), (b"", 1), (b"a b", 1), ("a", 1), (b"a", 0), (b"a", 256), (b"a", -1)):
        with pytest.raises(ValueError, match=r"token in lower case|from 1 to 255"):
            FieldNames({name: number})  # type: ignore[dict-item]


plain = re.compile(r"/[!$&'()*+,\-.0-9:;=@A-Z\[\]\^_a-z{|}~/]*", re.ASCII)


@given(st.from_regex(plain, fullmatch=True) | st.from_regex(r"/[./a]{0,9}", fullmatch=True) | st.text(max_size=20))
@example("")
@example("/\u0130")
@example("/a/..")
def test_a_plain_path_is_canonical(path: str) -> None:
    assert is_plain_path(path) == (plain.fullmatch(path) is not None and "/." not in path and "//" not in path)


def test_every_character_of_a_path_matters() -> None:
    for code in range(300):
        for path in (f"/{chr(code)}", f"/a{chr(code)}/b", chr(code)):
            assert is_plain_path(path) == (plain.fullmatch(path) is not None and "/." not in path and "//" not in path)


def test_nothing_is_kept() -> None:
    fields = [(bytes([97 + number]) * 9, bytes([48 + number]) * 90) for number in range(9)]
    special = [*fields, (b"host", b"a\x80b"), (b"cookie", b"c\x80d"), (b"Date", b"e\x80f"), (b"connection", b"g")]
    odd = [*fields, (b"odd\n", b"h\x80i")]
    numbers = NUMBERS | {b"date": 9}
    objects = [fields, special, odd, numbers, *special, *odd, *(part for field in special for part in field)]
    before = [sys.getrefcount(each) for each in objects]
    for _ in range(200):
        treat_in_all_ways(numbers, [fields, special, odd])
    assert [sys.getrefcount(each) for each in objects] == before


def treat_in_all_ways(numbers: dict[bytes, int], lists: list[Fields]) -> None:
    table, written = FieldNames(numbers), FieldNames(WRITTEN)
    for each in lists:
        for function in (table.sort_request, table.pass_on, table.has_any):
            outcome_of(function, each)
        outcome_of(written.write_response, b"", each, True)
        outcome_of(written.list_response, each, True)
        for length in (b"1", b"2"):
            outcome_of(written.frame_response, 1, 200, [(b"content-length", length), *each], DATE, b"x", 16_384)
