"""Tests of guests in Python: the file that ships, in the sandbox that ships, without a gateway.

With pytest the fixture ``sentinel_guest`` is there without an import::

    def test_nobody_passes_without_a_key(sentinel_guest):
        guest = sentinel_guest("build/keys.wasm", config={"keys": {"alpha": "a"}})
        assert guest.request("GET", "/").status == 401
        assert guest.request("GET", "/", {"x-api-key": "alpha"}).header("x-principal") == "a"

`TestedGuest` is what it returns; `TestedChain` puts several in a row.
`sentinel_host.testing.strategies` makes requests for Hypothesis. ``pip install
sentinel-host[testing]`` brings pytest and Hypothesis.
"""

from __future__ import annotations

from sentinel_host.testing.chain import ChainResult, TestedChain
from sentinel_host.testing.guest import ClientCertificate, Described, Result, TestedGuest

__all__ = ["ChainResult", "ClientCertificate", "Described", "Result", "TestedChain", "TestedGuest"]
