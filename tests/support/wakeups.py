"""How often a process wakes."""

from __future__ import annotations

import re
from pathlib import Path


def wake_ups(pid: int) -> int:
    """How often threads of a process have gone to sleep: each time, something woke them before."""
    text = "".join((thread / "status").read_text() for thread in Path(f"/proc/{pid}/task").iterdir())
    return sum(int(count) for count in re.findall(r"^voluntary_ctxt_switches:\t(\d+)$", text, re.MULTILINE))
