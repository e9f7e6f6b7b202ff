"""Field sections of HTTP/2 and HTTP/3: what their values may hold, and their size."""

from __future__ import annotations

import pytest

from sentinel_host.http.field_section import Fields, Malformed, check_values, section_size


@pytest.mark.parametrize("value", [b"", b"a", b"a b", b"a\tb", bytes(range(0x21, 0x7F)), bytes(range(0x80, 0x100))])
def test_values(value: bytes) -> None:
    check_values([(b"x", b"before"), (b"x", value), (b"x", b"after")])
    check_values([(b"x", value)])


@pytest.mark.parametrize(
    "value",
    [
        *(b"a%bb" % bytes((byte,)) for byte in (*range(9), *range(10, 32), 127)),
        *(b" ", b"\t", b" a", b"\ta", b"a ", b"a\t", b"\n", b"a\n", b"\na"),
    ],
)
@pytest.mark.parametrize("others", [0, 1])
def test_values_that_are_malformed(value: bytes, others: int) -> None:
    with pytest.raises(Malformed):
        check_values([(b"x", b"before")] * others + [(b"x", value)] + [(b"x", b"")] * others)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ([], 0),
        ([(b"x", b"")], 5),
        ([(b"name", b"value"), (b"x", b"y")], 13 + 6),
        ([(b"cookie", b"a=1")], 13),
        # As on HTTP/1: "cookie: a=1; b=2\r\n".
        ([(b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")], 18 + 6),
    ],
)
def test_sizes(fields: Fields, size: int) -> None:
    assert section_size(fields) == size
