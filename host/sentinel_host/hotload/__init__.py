"""Guests from their folder into service, while requests are in flight."""

from __future__ import annotations
