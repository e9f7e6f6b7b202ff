from __future__ import annotations

from sentinel_host.abi.contract import ON_REQUEST, ON_REQUEST_CHUNK, ON_RESPONSE
from sentinel_host.native.trail import TrailCall
from sentinel_host.observe import HookRecord, RequestRecord
from sentinel_host.observe.recording import Recording
from sentinel_host.sandbox.instance import SLOTS

BEGAN = 1_000_000


def recording(*, is_whole: bool) -> Recording:
    record = RequestRecord("id", "sampled", 0, 0, "all", "GET", "http", "a", "/", None, "192.0.2.1", "1.1")
    record.is_whole = is_whole
    return Recording(record, BEGAN)


def called(guest: str, slot: int, result: int = 0, *, running: int = 100) -> TrailCall:
    return TrailCall(guest, f"digest of {guest}", slot, BEGAN + 3000, BEGAN + 5000, running, result, 50)


def figures(hook: HookRecord) -> tuple[str, str, str, int, int, int]:
    return hook.guest, hook.hook, hook.version, hook.running, hook.taken, hook.given


def test_hooks_that_were_noted_get_the_figures_of_their_calls() -> None:
    """A guest may stand in a chain twice, and the calls for a body are one record."""
    it = recording(is_whole=True)
    it.begin_hook("twice", "on-request", BEGAN)
    it.begin_hook("twice", "on-request", BEGAN)
    it.begin_hook("body", "on-request-chunk", BEGAN).calls = 2
    it.begin_hook("twice", "on-response", BEGAN)
    it.begin_hook("waits", "on-request", BEGAN)
    it.add_calls(
        [
            called("twice", SLOTS[ON_REQUEST], 7, running=1),
            called("twice", SLOTS[ON_REQUEST], -3, running=2),
            called("body", SLOTS[ON_REQUEST_CHUNK], 10),
            called("body", SLOTS[ON_REQUEST_CHUNK], 20),
            called("twice", SLOTS[ON_RESPONSE], 0, running=3),
            # Nobody noted them.
            called("twice", SLOTS[ON_REQUEST]),
            called("stranger", SLOTS[ON_REQUEST]),
        ]
    )
    assert [figures(hook) for hook in it.record.hooks] == [
        ("twice", "on-request", "digest of twice", 1, 50, 7),
        ("twice", "on-request", "digest of twice", 2, 50, 0),
        ("body", "on-request-chunk", "digest of body", 200, 100, 30),
        ("twice", "on-response", "digest of twice", 3, 50, 0),
        ("waits", "on-request", "", 0, 0, 0),
    ]


def test_a_record_that_is_made_late_has_the_hooks_that_were_called() -> None:
    it = recording(is_whole=False)
    it.add_calls([called("a", SLOTS[ON_REQUEST], result) for result in (0, 7, -1)])
    assert [(hook.start, hook.duration, hook.outcome, hook.given) for hook in it.record.hooks] == [
        (3, 2, "passed", 0),
        (3, 2, "edited", 7),
        (3, 2, "failed", 0),
    ]
