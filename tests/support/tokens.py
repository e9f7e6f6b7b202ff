"""Keys and JSON Web Tokens, made with `cryptography`: another implementation than the one that
guests use.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | bytes
"""Bytes are the secret of an HMAC."""

_HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(key: PrivateKey, **members: str) -> dict[str, str]:
    """The public part of a key as a JSON Web Key; of a secret all of it."""
    if isinstance(key, bytes):
        return {"kty": "oct", "k": encoded(key), **members}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": encoded(key.public_key().public_bytes_raw()), **members}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": _integer(numbers.n, 256), "e": _integer(numbers.e, 3), **members}
    point, size = key.public_key().public_numbers(), key.curve.key_size // 8
    return {
        "kty": "EC",
        "crv": f"P-{key.curve.key_size}",
        "x": _integer(point.x, size),
        "y": _integer(point.y, size),
    } | members


def signed(algorithm: str, key: PrivateKey, claims: dict[str, Any], **header: Any) -> str:
    """A token in the compact serialization; `header` has the parameters beside ``alg``."""
    parts = [encoded(json.dumps(part).encode()) for part in ({"alg": algorithm, **header}, claims)]
    message = ".".join(parts)
    return f"{message}.{encoded(_signature(algorithm, key, message.encode()))}"


def _signature(algorithm: str, key: PrivateKey, message: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    digest = _HASHES[algorithm[2:]]()
    if isinstance(key, bytes):
        return hmac.digest(key, message, getattr(hashlib, digest.name))
    if isinstance(key, rsa.RSAPrivateKey):
        if algorithm.startswith("RS"):
            return key.sign(message, padding.PKCS1v15(), digest)
        return key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    numbers = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
    return b"".join(number.to_bytes(key.curve.key_size // 8, "big") for number in numbers)


def _integer(number: int, size: int) -> str:
    return encoded(number.to_bytes(size, "big"))
