"""The documentation's tools: the generated reference, the site, and the checks of both."""

from __future__ import annotations
