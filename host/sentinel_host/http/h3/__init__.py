"""HTTP/3 (RFC 9114) over aioquic, which is an extra: nothing else imports this package before it is
configured.
"""

from __future__ import annotations

from sentinel_host.http.h3.certificates import CertificateChoice, CertificateStore
from sentinel_host.http.h3.protocol import Http3Protocol, Path
from sentinel_host.http.h3.quic import Quic

__all__ = ["CertificateChoice", "CertificateStore", "Http3Protocol", "Path", "Quic"]
