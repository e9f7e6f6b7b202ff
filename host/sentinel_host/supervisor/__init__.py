"""One process that serves, or one that keeps several of them running.

The modules are imported one by one: the supervising process does without the gateway and its engine, and one worker
alone without the supervisor.
"""

from __future__ import annotations
