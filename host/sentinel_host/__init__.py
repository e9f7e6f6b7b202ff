"""Sentinel: an API gateway whose every middleware is a sandboxed WebAssembly guest."""

from __future__ import annotations
