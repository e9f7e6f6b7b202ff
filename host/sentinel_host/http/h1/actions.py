"""What `Http1Connection` asks its protocol to do: plain numbers, for the reason in `server.phases`.

Names in double backquotes are attributes of the connection that belong to the action.
"""

from __future__ import annotations

from typing import Final

NOTHING: Final = 0
# Answer a request: ``head``, ``method``, ``http11``, by way of ``response``. Then call `read_ahead`
# until it returns `NOTHING`.
REQUEST: Final = 1
# Give the application ``data`` of the request's body or of the tunnel. It is the last if
# ``complete``.
DATA: Final = 2
# Tell the application that the rest of the body will not come, and why: ``error``.
FAULT: Final = 3
# Answer with ``error``. Then end as for `LINGER`, or as for `CLOSE` if the client has ended
# (``eof``).
REFUSAL: Final = 4
# End our side, and call `linger`.
LINGER: Final = 5
# Close; if much is unsent, end as for `LINGER` instead.
CLOSE: Final = 6
# Reset the connection, so that the client does not take a part of the response for the whole.
RESET: Final = 7
# Close without waiting for the client, which has stalled.
CUT_OFF: Final = 8
# Hand the connection over to HTTP/2, with ``data``, which was read already.
UPGRADE: Final = 9
# The time to linger has passed: wait as long again if the response is still unsent, or close.
LINGERED: Final = 10
# Nothing moved in time. Find out whether the client still reads, and call `stalled`.
STALLED: Final = 11
