"""A response's messages as bytes, in the framing that fits the request."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_host.http.h1.framer import ResponseFramer
from sentinel_host.http.h1.states import BY_CHUNKS, BY_LENGTH, NO_BODY, UNTIL_CLOSE
from sentinel_host.http.server.phases import BEFORE_HEAD, DONE, HEAD_HELD

Fields = list[tuple[bytes, bytes]]
FIVE: Fields = [(b"content-length", b"5")]


def framer(*, to_head: bool = False, http11: bool = True) -> ResponseFramer:
    return ResponseFramer(to_head=to_head, http11=http11)


def framed(response: ResponseFramer, pieces: list[bytes], status: int = 200, headers: Fields | None = None) -> bytes:
    """The whole response, without status line, of a connection that the response alone decides
    about.
    """
    response.start(status, headers or [], trailers=False)
    close = response.frame(len(pieces[0]), len(pieces) > 1)
    sent = response.head(date=b"", close=close).partition(b"\r\n")[2]
    for number, piece in enumerate(pieces, 1):
        sent += b"".join(response.body(piece, number < len(pieces)))
    assert response.phase == DONE
    return sent


@pytest.mark.parametrize(
    ("http11", "headers", "pieces", "framing", "sent"),
    [
        (True, [], [b"hello"], BY_LENGTH, b"content-length: 5\r\n\r\nhello"),
        (True, [], [b""], BY_LENGTH, b"content-length: 0\r\n\r\n"),
        (True, FIVE, [b"he", b"llo"], BY_LENGTH, b"content-length: 5\r\n\r\nhello"),
        (True, FIVE, [b"hello", b""], BY_LENGTH, b"content-length: 5\r\n\r\nhello"),
        (
            True,
            [],
            [b"he", b"", b"llo"],
            BY_CHUNKS,
            b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ),
        (
            True,
            [],
            [b"", b"x" * 20, b""],
            BY_CHUNKS,
            b"transfer-encoding: chunked\r\n\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n",
        ),
        (False, [], [b"hello"], BY_LENGTH, b"content-length: 5\r\nconnection: keep-alive\r\n\r\nhello"),
        (False, [], [b"he", b"llo"], UNTIL_CLOSE, b"connection: close\r\n\r\nhello"),
    ],
)
def test_the_framing_fits_the_body(
    http11: bool, headers: Fields, pieces: list[bytes], framing: int, sent: bytes
) -> None:
    response = framer(http11=http11)
    assert framed(response, pieces, headers=headers) == sent
    assert response.framing == framing


@pytest.mark.parametrize(
    ("status", "to_head", "headers", "sent"),
    [
        (204, False, [], b"\r\n"),
        (304, False, [], b"\r\n"),
        (200, True, [], b"\r\n"),
        (204, False, [(b"content-length", b"7")], b"\r\n"),
        (304, False, [(b"content-length", b"7")], b"content-length: 7\r\n\r\n"),
        (200, True, [(b"content-length", b"7")], b"content-length: 7\r\n\r\n"),
    ],
)
def test_responses_without_a_body(status: int, to_head: bool, headers: Fields, sent: bytes) -> None:
    response = framer(to_head=to_head)
    assert framed(response, [b"ignored", b"ignored"], status, headers) == sent
    assert response.framing == NO_BODY


def test_framing_and_connection_fields_are_the_servers() -> None:
    response = framer()
    fields = [(b"Transfer-Encoding", b"gzip"), (b"connection", b"x"), (b"keep-alive", b"1"), (b"Date", b"then")]
    response.start(200, fields, trailers=False)
    response.frame(1, False)
    head = response.head(date=b"\r\ndate: now", close=False)
    assert head == b"HTTP/1.1 200 OK\r\nDate: then\r\ncontent-length: 1\r\n\r\n"


@pytest.mark.parametrize(("http11", "sent"), [(True, b"5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"), (False, b"hello")])
def test_trailers(http11: bool, sent: bytes) -> None:
    response = framer(http11=http11)
    response.start(200, [], trailers=True)
    response.frame(5, False)
    response.head(date=b"", close=False)
    body = b"".join(response.body(b"hello", False))
    assert body + response.trailers([(b"x-sum", b"1")], False) == sent
    assert response.phase == DONE


@pytest.mark.parametrize(("http11", "sent"), [(True, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), (False, b"")])
def test_informational(http11: bool, sent: bytes) -> None:
    response = framer(http11=http11)
    assert response.informational(103, [(b"link", b"</a>")]) == sent
    assert response.phase == BEFORE_HEAD


@pytest.mark.parametrize(
    ("headers", "pieces"), [(FIVE, [b"four"]), (FIVE, [b"hello!"]), (FIVE, [b"he", b"l"]), (FIVE, [b"he", b"llo!"])]
)
def test_a_body_that_does_not_fit_its_length_is_an_error(headers: Fields, pieces: list[bytes]) -> None:
    with pytest.raises(RuntimeError, match="does not fit"):
        framed(framer(), pieces, headers=headers)


def test_nothing_is_sent_of_a_body_that_cannot_fit() -> None:
    response = framer()
    response.start(200, FIVE, trailers=False)
    with pytest.raises(RuntimeError, match="does not fit"):
        response.frame(4, False)
    assert response.phase == HEAD_HELD
    assert response.replace(b"HTTP/1.1 500 \r\n\r\nwhy") == b"HTTP/1.1 500 \r\n\r\nwhy"


def test_a_replacement_for_head_has_no_body() -> None:
    assert framer(to_head=True).replace(b"HTTP/1.1 500 \r\n\r\nwhy") == b"HTTP/1.1 500 \r\n\r\n"


def test_messages_out_of_order() -> None:
    response = framer()
    messages: list[Any] = [lambda: response.body(b"", False), lambda: response.trailers([], False)]
    for message in messages:
        with pytest.raises(RuntimeError, match="out of order"):
            message()
    framed(response, [b"x"])
    messages += [lambda: response.start(200, [], trailers=False), lambda: response.informational(103, [])]
    for message in messages:
        with pytest.raises(RuntimeError, match=r"out of order|twice|after the final head"):
            message()
