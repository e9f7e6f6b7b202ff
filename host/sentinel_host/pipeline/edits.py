"""Applying a guest's edits to heads."""

from __future__ import annotations

from sentinel_host.messages import Edit, HeaderEdit, Headers, RequestEdits, RequestHead, ResponseEdits, ResponseHead


def edit_headers(headers: Headers, edits: list[HeaderEdit]) -> Headers:
    """Apply the edits in order and return the new list; the given one may be changed in place."""
    for kind, name, value in edits:
        if kind != Edit.APPEND:
            headers = [field for field in headers if field[0] != name]
        if kind != Edit.REMOVE:
            headers.append((name, value))
    return headers


def edit_request(head: RequestHead, edits: RequestEdits) -> bool:
    """Apply what changes the head, in place; return whether anything did."""
    changed = False
    if edits.headers:
        head.headers = edit_headers(head.headers, edits.headers)
        changed = True
    if edits.path is not None:
        head.path = edits.path
        changed = True
    if edits.query is not None:
        head.query = edits.query or None
        changed = True
    if edits.method is not None:
        head.method = edits.method
        changed = True
    return changed


def edit_response(head: ResponseHead, edits: ResponseEdits) -> bool:
    """Apply what changes the head, in place; return whether anything did."""
    changed = False
    if edits.headers:
        head.headers = edit_headers(head.headers, edits.headers)
        changed = True
    if edits.status is not None:
        head.status = edits.status
        changed = True
    return changed
