"""Sentinel: an API gateway whose every middleware is a sandboxed WebAssembly guest."""
