"""The methods that are served: those of HTTP and WebDAV that llhttp knows.

Without those of tunnels (CONNECT, but see RFC 8441) and of ICE (SOURCE).
"""

from __future__ import annotations

from typing import Final

_NAMES: Final = """
    ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS
    PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE
"""
METHODS: Final = {name.encode(): name for name in _NAMES.split()}
