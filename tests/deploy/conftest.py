"""What the deployments in ``deploy/`` are run with."""

from __future__ import annotations

from tests.support.standard_guests import standard_guests

__all__ = ["standard_guests"]
