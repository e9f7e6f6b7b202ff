"""Rules for requests of every protocol: admission, and the fields that are removed and added. No
sockets.
"""

from __future__ import annotations

from sentinel_host.http.rules.admission import Admission
from sentinel_host.http.rules.admitted import Admitted
from sentinel_host.http.rules.forwarding import Forwarding
from sentinel_host.http.rules.peers import TrustedPeers
from sentinel_host.http.rules.responses import end_to_end, end_to_end_trailers

__all__ = ["Admission", "Admitted", "Forwarding", "TrustedPeers", "end_to_end", "end_to_end_trailers"]
