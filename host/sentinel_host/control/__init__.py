"""What operators see, on the admin listener only, and what workers tell their supervisor so that
they can.

`collect` and `admin` are not imported here: they need the gateway and Quart, which the process that
supervises and commands do without.
"""

from __future__ import annotations

from sentinel_host.control.access import AdminAccess
from sentinel_host.control.channel import Channel, Reply
from sentinel_host.control.codec import ControlError, FrameDecoder, encode
from sentinel_host.control.guests import guest_faults
from sentinel_host.control.messages import (
    Accept,
    Applied,
    Code,
    CodeRequest,
    ConfigSource,
    Drain,
    Draining,
    Failed,
    Frame,
    Guests,
    Learned,
    Lines,
    LinesRequest,
    ListenerFd,
    Load,
    LoadFailed,
    Message,
    Prepared,
    ProbationDegraded,
    ProbationFailed,
    QuicFds,
    Ready,
    Reconfigure,
    Records,
    RecordsRequest,
    Refused,
    Reopen,
    Start,
    Stats,
    StatsRequest,
)
from sentinel_host.control.overview import Overview
from sentinel_host.control.snapshot import Distribution, Numbers, Snapshot, merge

__all__ = [
    "Accept",
    "AdminAccess",
    "Applied",
    "Channel",
    "Code",
    "CodeRequest",
    "ConfigSource",
    "ControlError",
    "Distribution",
    "Drain",
    "Draining",
    "Failed",
    "Frame",
    "FrameDecoder",
    "Guests",
    "Learned",
    "Lines",
    "LinesRequest",
    "ListenerFd",
    "Load",
    "LoadFailed",
    "Message",
    "Numbers",
    "Overview",
    "Prepared",
    "ProbationDegraded",
    "ProbationFailed",
    "QuicFds",
    "Ready",
    "Reconfigure",
    "Records",
    "RecordsRequest",
    "Refused",
    "Reopen",
    "Reply",
    "Snapshot",
    "Start",
    "Stats",
    "StatsRequest",
    "encode",
    "guest_faults",
    "merge",
]
