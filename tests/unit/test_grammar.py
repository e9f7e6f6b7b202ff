"""The syntax that both sides, the configuration and guests' answers share."""

from __future__ import annotations

import re

import pytest

from sentinel_host.grammar import (
    CONTROLS,
    FIELD,
    FIELD_VALUE,
    HOP_BY_HOP,
    has_control,
    is_authority,
    is_field_name,
    is_field_name_text,
    is_host_name,
    is_protocol,
    is_target,
    is_token,
    is_token_text,
)

ALL = [bytes((byte,)) for byte in range(256)]
TCHARS = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def accepted(rule: object) -> bytes:
    """The bytes that are, alone, what the rule wants."""
    assert callable(rule)
    return b"".join(byte for byte in ALL if rule(byte))


def test_a_token_has_the_characters_of_rfc_9110_and_no_others() -> None:
    assert sorted(accepted(is_token)) == sorted(TCHARS)
    assert sorted(accepted(lambda byte: is_token_text(byte.decode("latin-1")))) == sorted(TCHARS)
    assert not is_token(b"")
    assert not is_token(b"a b")
    assert not is_token(b"a\n")


def test_a_field_name_is_a_token_in_lower_case() -> None:
    lower = sorted(byte for byte in TCHARS if not chr(byte).isupper())
    assert sorted(accepted(is_field_name)) == lower
    assert sorted(accepted(lambda byte: is_field_name_text(byte.decode("latin-1")))) == lower


def test_a_field_value_has_no_control_character_but_tab() -> None:
    controls = [*range(9), *range(10, 32), 127]
    assert list(CONTROLS) == controls
    assert list(accepted(has_control)) == controls
    assert list(accepted(re.compile(FIELD_VALUE).fullmatch)) == [byte for byte in range(256) if byte not in controls]


def test_a_line_is_a_name_a_colon_and_a_value() -> None:
    match = FIELD.fullmatch(b"X-A:  b \xff\t\r\n")
    assert match is not None
    assert match.groups() == (b"X-A", b"  b \xff\t")
    for line in (b"X A: b\r\n", b"X-A : b\r\n", b": b\r\n", b"X-A: b\n", b"X-A\r\n", b" X-A: b\r\n", b"X-A: b\0\r\n"):
        assert FIELD.fullmatch(line) is None


def test_names_are_in_the_form_that_they_are_compared_in() -> None:
    assert all(is_field_name(name) for name in HOP_BY_HOP)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (is_target, [b"/", b"*", b"http://a/b?c", b"/%00"], [b"", b"/a b", b"/a#b", b"/\t", b"/\x7f", b"/\xe9"]),
        (is_protocol, [b"websocket", b"HTTP/2.0"], [b"", b"a/", b"/a", b"a/b/c", b"a b", b"a, b"]),
        (
            is_authority,
            [b"a", b"a.b:80", b"[::1]", b"[::1]:443", b"a-b_c~!$&'()*+="],
            [b"", b"a:", b"a:123456", b"a b", b"a,b", b"a;b", b"a%41", b"u@a", b"[::1", b"::1", b"a/b"],
        ),
        (is_host_name, ["a", "a.b", "a.b.", "_x.a", "A-1"], ["", "-a", "a-", ".a", "a b", "a:1", "[::1]", "\u00e9"]),
    ],
)
def test_what_is_written_of_a_server(rule, good, bad):
    assert [text for text in good if not rule(text)] == []
    assert [text for text in bad if rule(text)] == []
