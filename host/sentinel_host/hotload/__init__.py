"""From a file in a folder to a compiled guest: watched, read once, hashed, compiled elsewhere, and
kept.
"""

from __future__ import annotations
