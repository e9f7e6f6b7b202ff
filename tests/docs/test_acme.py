"""The configuration of the page on ACME lets an authority reach the client that answers
challenges.
"""

from __future__ import annotations

from guestbuild.places import REPOSITORY
from sentinel_host.config.files import tls_entries
from sentinel_host.config.load import parse_config
from sitebuild.markdown import blocks

PAGE = (REPOSITORY / "docs" / "how-to" / "acme.md").read_text()


def test_challenges_arrive_in_the_clear() -> None:
    """Port 80 once had the certificate of all listeners, and spoke TLS (RFC 8555 section 8.3 does
    not).
    """
    (text,) = (block.text for block in blocks(PAGE) if block.language == "toml")
    config = parse_config(text, "sentinel.toml")
    _, challenges = config.server.bind
    assert challenges == "0.0.0.0:80"
    assert [at for at, _ in tls_entries(config)] == ["server.bind[0].tls"]
