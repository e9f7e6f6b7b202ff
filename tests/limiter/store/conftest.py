from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.limiter.store.servers import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    assert program is not None, "install Debian's redis-server or valkey-server"
    server = Server(program, tmp_path)
    server.start()
    yield server
    server.stop()
