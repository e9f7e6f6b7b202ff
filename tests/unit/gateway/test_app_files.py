"""An application under another server needs no files of listeners that it does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel_host.errors import ConfigError
from sentinel_host.gateway.app import create_app

ROUTE = '[[upstream]]\nname = "o"\ntargets = ["https://a"]\n[[route]]\npath = "/"\nupstream = "o"\n'


def test_only_what_the_data_plane_needs_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sentinel.toml"
    file.write_text(f'[server]\ntls = {{ cert = "none", key = "none" }}\nadmin_token_file = "none"\n{ROUTE}')
    create_app(file)
    file.write_text(ROUTE.replace('["https://a"]', '["https://a"]\nca = "none"'))
    with pytest.raises(ConfigError, match=r"upstream\[0\]\.ca: .*none: No such file"):
        create_app(file)
