"""What is told of certificates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sentinel_host.config import parse_config, read_files
from sentinel_host.control.certificates import view_certificates
from tests.support.certificates import self_signed


def test_a_listeners_certificate_is_told_once(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    tls = f'{{ cert = "{certificate}", key = "{key}" }}'
    text = f"""
    [server]
    tls = {tls}
    bind = ["127.0.0.1:1", {{ address = "127.0.0.1:2", tls = {tls} }}]
    [[upstream]]
    name = "o"
    targets = ["http://a"]
    [[route]]
    path = "/"
    upstream = "o"
    """
    config = read_files(parse_config(text, str(tmp_path / "sentinel.toml"), {}))
    (told,) = view_certificates(config)
    assert (told.key, told.file) == ("server.tls.cert", str(certificate))
    assert told.names
    assert len(told.sha256) == 64
    end = datetime.fromisoformat(told.not_after)
    (later,) = view_certificates(config, end + timedelta(days=2))
    assert later.days_left == -2
    assert datetime.fromisoformat(told.not_before) <= datetime.now(UTC)
