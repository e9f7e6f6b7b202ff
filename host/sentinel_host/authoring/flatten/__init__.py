"""Components of many core modules made into one, which is what the gateway runs.

An interpreter comes as a component of many modules: CPython's has 38. The gateway calls one core
module, and calls it in a microsecond. So a component is instantiated on paper (`component`), every
import is rewritten to what it comes to (`linking`), with WASI replaced by the host's functions
(`stand_ins`), and binaryen makes one module of them (`flattener`).
"""

from __future__ import annotations

from sentinel_host.authoring.flatten.flattener import Flattening, flatten
from sentinel_host.authoring.flatten.stand_ins import STAND_INS, Needed, StandIn, stand_in_module

__all__ = ["STAND_INS", "Flattening", "Needed", "StandIn", "flatten", "stand_in_module"]
