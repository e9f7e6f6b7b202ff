from __future__ import annotations

import pytest

from sentinel_host.paths import STRICT, PathError, PathRule, is_query


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/", "/"),
        ("/a/b.c/", "/a/b.c/"),
        ("/.well-known/x", "/.well-known/x"),
        ("/...", "/..."),
        ("/a;p=1,2:3@4", "/a;p=1,2:3@4"),
        ("/%61dmin", "/admin"),
        ("/%7euser", "/~user"),
        ("/a%c3%a9", "/a%C3%A9"),
        ("/%2525", "/%2525"),
        ("/a%20b", "/a%20b"),
        ("/[x]|{y}^", "/[x]|{y}^"),
    ],
)
def test_one_form(path: str, canonical: str) -> None:
    assert STRICT.canonical(path) == canonical
    assert STRICT.canonical(canonical) == canonical
    assert STRICT.is_canonical(canonical)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "*",
        "/..",
        "/a/../b",
        "/a/./b",
        "/a/.",
        "/%2e%2e/b",
        "/.%2E/b",
        "/a/..%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "//",
        "//a",
        "/a//b",
        "/a%00",
        "/a%0d%0aX:1",
        "/a%7f",
        "/a\x00",
        "/a b",
        "/a#b",
        "/a?b",
        "/a%",
        "/a%4",
        "/a%zz",
        "/a%u0041",
        '/a"b',
        "/a<b",
        "/\u00e9",
    ],
)
def test_refuses_what_two_readers_could_take_for_two_paths(path: str) -> None:
    assert not STRICT.is_canonical(path)
    with pytest.raises(PathError):
        STRICT.canonical(path)


def test_keeps_what_the_operator_allows_and_nothing_else() -> None:
    rule = PathRule(keep_encoded_slash=True, keep_empty_segments=True)
    assert rule.canonical("/a%2fb//c") == "/a%2Fb//c"
    for path in ("/a//../b", "/a%2f../b/..", "/%2e%2e"):
        with pytest.raises(PathError):
            rule.canonical(path)


@pytest.mark.parametrize("query", ["", "a=1&b=2", "q=%zz", "x=/?:@!$'()*+,;[]{}|^`\"<>\\~"])
def test_query(query: str) -> None:
    assert is_query(query)


@pytest.mark.parametrize("query", ["a b", "a#b", "a\x00", "a\r\n", "\u00e9", "\x7f"])
def test_refuses_query(query: str) -> None:
    assert not is_query(query)
