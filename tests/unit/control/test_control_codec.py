from __future__ import annotations

import pytest

from sentinel_host.config import TlsConfig
from sentinel_host.control import (
    Accept,
    Applied,
    Code,
    CodeRequest,
    ConfigSource,
    ControlError,
    Distribution,
    Drain,
    Draining,
    Failed,
    Frame,
    FrameDecoder,
    Guests,
    Learned,
    ListenerFd,
    Load,
    LoadFailed,
    Prepared,
    ProbationDegraded,
    ProbationFailed,
    QuicFds,
    Ready,
    Reconfigure,
    Refused,
    Snapshot,
    Start,
    Stats,
    StatsRequest,
    encode,
)
from sentinel_host.control.codec import FRAME_LIMIT
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.state import GuestState
from sentinel_host.net import Remembered
from sentinel_host.net.remembered import Service
from sentinel_host.sandbox import CompiledGuest

SNAPSHOT = Snapshot(
    counters={"requests": {("a", "200"): 3.0, ("a", "404"): 1.0}, "accepted": {(): 7.0}},
    gauges={"open": {(): 2.0}},
    histograms={"duration": Distribution((0.1, 1.0), {("a",): [1.0, 2.0, 0.0, 1.25]})},
)
OFFER = GuestVersion("auth", "guests/auth.wasm", CompiledGuest("ab", 7, True, "Rust 1.90", None, b"", b""), 3, "key")
TRIED = Deployment(OFFER, OFFER, 5, "ab")
GUESTS = Guests([OFFER], {"log": "missing"}, [TRIED])
SOURCE = ConfigSource("gw.toml", text="x")
LEARNED = Remembered({"a.test": ["192.0.2.1"]}, {"_http._tcp.test": [Service("a.test", 80, 1)]})
FRAMES = [
    Frame(
        0,
        False,
        Start(1, 2, SOURCE, [ListenerFd("public", 5, TlsConfig("c", "k"))], {"limits": 9}, GUESTS, None, 6, LEARNED),
    ),
    Frame(0, False, Start(0, 1, SOURCE, [], {}, GUESTS, quic=QuicFds([5, 6, 7], 1, b"s", TlsConfig("c", "k")))),
    Frame(0, False, Prepared()),
    Frame(0, False, Accept()),
    Frame(0, False, Ready({"auth": "missing"}, [GuestState("auth", error="missing")])),
    Frame(0, False, Learned(LEARNED)),
    Frame(0, False, Failed("no")),
    Frame(0, False, Drain()),
    Frame(0, False, Draining()),
    Frame(7, False, StatsRequest()),
    Frame(7, True, Stats(SNAPSHOT, {}, [])),
    Frame(8, True, Refused("not now")),
    Frame(9, False, CodeRequest("ab", 5)),
    Frame(9, True, Code(b"\0\xff")),
    Frame(10, False, Load(Deployment(OFFER))),
    Frame(10, False, Load(TRIED)),
    Frame(0, False, LoadFailed("auth", "is not WebAssembly")),
    Frame(11, False, Reconfigure(SOURCE, GUESTS)),
    Frame(0, False, ProbationDegraded("auth", "ab")),
    Frame(0, False, ProbationFailed("auth", "ab", "20 of 20 calls failed")),
    Frame(11, True, Applied("", {}, [GuestState("auth", "serving", hooks=("on-request",))])),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 100_000])
def test_frames_arrive_however_they_were_cut(size: int) -> None:
    data = b"".join(encode(frame) for frame in FRAMES)
    decoder = FrameDecoder()
    received = [frame for start in range(0, len(data), size) for frame in decoder.feed(data[start : start + size])]
    assert received == FRAMES


def test_a_length_beyond_the_limit_is_refused_before_the_body_comes() -> None:
    with pytest.raises(ControlError, match="beyond"):
        list(FrameDecoder().feed((FRAME_LIMIT + 1).to_bytes(4, "big")))


def test_a_message_beyond_the_limit_is_not_sent() -> None:
    with pytest.raises(ControlError, match="beyond"):
        encode(Frame(0, False, Failed("x" * FRAME_LIMIT)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x93\x00\xc2\x81\xa4type\xa4nope",
        b"\x93\x00\xc2\x80",
        b"\x92\x00\xc2",
        b"\x93\xa1x\xc2\x81\xa4type\xa5drain",
        b"\x93\x00\xc2\x82\xa4type\xa6failed\xa6reason\x01",
        b"\x91" * 5000,
    ],
)
def test_what_is_no_message_is_an_error(body: bytes) -> None:
    with pytest.raises(ControlError, match="not a control message"):
        list(FrameDecoder().feed(len(body).to_bytes(4, "big") + body))


def test_fields_of_a_later_version_are_passed_over() -> None:
    """A worker of a new version and a supervisor of the old one talk to each other while one
    replaces the other.
    """
    body = b"\x94\x00\xc2\x83\xa4type\xa6failed\xa6reason\xa2no\xa5later\x01\xc0"
    assert list(FrameDecoder().feed(len(body).to_bytes(4, "big") + body)) == [Frame(0, False, Failed("no"))]
