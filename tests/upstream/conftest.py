"""Every test of the upstream client runs on both event loops, and over TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial

import pytest
import trustme
import uvloop

from sentinel_host.http.client import client_context
from tests.upstream.support import Main, Secure, run_on


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Secure:
    """Contexts for upstreams on this machine, and for clients that trust them."""
    authority = tmp_path_factory.mktemp("authority") / "ca.pem"
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(authority))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost", "some.test").configure_cert(server)
    return Secure(server, client_context(str(authority)))


@pytest.fixture(params=["asyncio", "uvloop", "TLS"])
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    """Runs the test's coroutine on an event loop; with "TLS", its upstreams and their pools speak
    it, on uvloop.
    """
    secure = request.getfixturevalue("secure") if request.param == "TLS" else None
    return partial(run_on, asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop, secure)
