"""What operators see, on the admin listener only, and what workers tell their supervisor so that
they can.

`collect` is not imported here: it needs the gateway, which the process that supervises does
without.
"""

from __future__ import annotations

from sentinel_host.control.admin import AdminAccess, guest_faults, install_admin
from sentinel_host.control.channel import Channel, Reply
from sentinel_host.control.codec import ControlError, FrameDecoder, encode
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
    "install_admin",
    "merge",
]
