"""A single process that serves, or a supervisor that keeps several workers running.

Modules are imported one by one: the supervisor needs neither the gateway nor its engine, and a
single process does not need the supervisor.
"""

from __future__ import annotations
