"""Names that are almost right."""

from __future__ import annotations

import pytest

from sentinel_host.spelling import did_you_mean

KNOWN = ("workers", "bind", "admin", "admin_token")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("workes", "workers"),
        ("Bind", "bind"),
        ("admin_tokn", "admin_token"),
        ("amdin", "admin"),
        ("zebra", None),
        ("", None),
    ],
)
def test_the_name_most_like_it_is_offered(name: str, meant: str | None) -> None:
    assert did_you_mean(name, KNOWN) == (f"; did you mean `{meant}`?" if meant else "")
