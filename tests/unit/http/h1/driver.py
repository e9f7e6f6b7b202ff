"""A connection's protocol and application in a few lines: no socket, no thread, a number as
clock.
"""

from __future__ import annotations

from typing import Any

from sentinel_host.http.h1 import actions
from sentinel_host.http.h1.connection import Http1Connection
from sentinel_host.http.server import ServerLimits
from sentinel_host.http.server.phases import DONE, HEAD_HELD

Fields = list[tuple[bytes, bytes]]

DATE = b"\r\ndate: now"
_ENDS = {actions.LINGER: "linger", actions.CLOSE: "close", actions.RESET: "reset", actions.CUT_OFF: "cut off"}


class Driver:
    """Does what an `Http1Connection` asks for, and keeps a ``log`` of it.

    With ``answers``, each request is answered as soon as it is complete, and each fault with its
    status.
    """

    def __init__(self, limits: ServerLimits | None = None, *, upgradable: bool = False, answers: bool = False) -> None:
        self.now = 1000.0
        self.hits: dict[str, int] = {}
        self.connection = Http1Connection(limits or ServerLimits(), self.hits, self.now, upgradable=upgradable)
        self.log: list[Any] = []
        self.sent = b""
        self.body = b""
        self.trailers: Fields = []
        self._answers = answers

    @property
    def over(self) -> bool:
        """Whether no byte is interpreted any more."""
        return bool(self.log) and self.log[-1] in (*_ENDS.values(), "upgrade")

    # The client.

    def receive(self, *pieces: bytes) -> Driver:
        for piece in pieces:
            self._act(self.connection.receive(piece, self.now))
        return self

    def end(self) -> Driver:
        self._act(self.connection.receive_eof(self.now))
        return self

    # The clock.

    def wait(self, seconds: float, *, still_reads: bool = False, unsent: bool = False) -> Driver:
        """Let time pass and do what is due by then, once."""
        self.now += seconds
        action = self.connection.expire(self.now)
        if action == actions.STALLED:
            action = self.connection.stalled(self.now, still_reads=still_reads)
        elif action == actions.LINGERED:
            if unsent:
                self.connection.linger(self.now)
                return self
            action = actions.CLOSE
        self._act(action)
        return self

    # The worker.

    def stop(self) -> Driver:
        self._act(self.connection.stop(self.now))
        return self

    def close_if_idle(self) -> Driver:
        self._act(self.connection.close_if_idle(self.now))
        return self

    # The application.

    def start(self, status: int = 200, headers: Fields | None = None, *, trailers: bool = False) -> Driver:
        self.connection.response.start(status, headers or [], trailers=trailers)
        return self

    def send(self, data: bytes, *, more: bool = False) -> Driver:
        response = self.connection.response
        if response.phase == HEAD_HELD:
            close = self.connection.closes_after(response.frame(len(data), more), more)
            self.sent += response.head(date=DATE, close=close)
        self.sent += b"".join(response.body(data, more))
        self.connection.progressed = True
        return self

    def take(self, size: int) -> Driver:
        if self.connection.taken(size):
            self.connection.resume(self.now)
        return self

    def finish(self) -> Driver:
        """Return; where the response is not complete and nothing of it was sent, with an error."""
        connection = self.connection
        if connection.response.phase <= HEAD_HELD:
            connection.close_after_response()
            self.sent += connection.response.replace(b"HTTP/1.1 500 \r\n\r\n")
        self._act(connection.finish(self.now))
        return self

    def answer(self, headers: Fields | None = None) -> Driver:
        return self.start(headers=headers).send(b"ok").finish()

    # The protocol.

    def _act(self, action: int) -> None:
        connection = self.connection
        if action == actions.REQUEST:
            head, connection.head = connection.head, None
            assert head is not None
            self.log.append((connection.method, head.target, "1.1" if connection.http11 else "1.0", head.headers))
            self.body = b""
            self.trailers = []
            while (action := connection.read_ahead(self.now)) != actions.NOTHING:
                self._pass_on(action)
            self._answer_if_complete()
        elif action in (actions.DATA, actions.FAULT):
            self._pass_on(action)
            self._answer_if_complete()
        elif action == actions.REFUSAL:
            self.log += [connection.error.status, "close" if connection.eof else "linger"]
        elif action == actions.UPGRADE:
            self.log.append("upgrade")
        elif action != actions.NOTHING:
            self.log.append(_ENDS[action])

    def _pass_on(self, action: int) -> None:
        connection = self.connection
        if action == actions.FAULT:
            self.log.append(("fault", connection.error.status))
            return
        self.body += connection.data
        if connection.complete:
            self.trailers = connection.trailers
            self.log.append((self.body, self.trailers))

    def _answer_if_complete(self) -> None:
        faulty = bool(self.log) and self.log[-1][0] == "fault"
        if self._answers and (self.connection.complete or faulty) and self.connection.response.phase != DONE:
            if faulty:
                self.finish()
            else:
                self.answer()
