"""The contract of ``wit/`` as the host knows it: names and core signatures, and the records'
bytes.
"""

from __future__ import annotations
