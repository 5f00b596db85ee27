"""RFC 3161 time stamps: asking an authority, and verifying what it answered, now and offline for ever.

A stamp is verified, each time, by rfc3161-client (extra `timestamp`): (1) the answer is granted, and its nonce is that
of the request where it was asked just now; (2) the signature is that of a certificate which leads to one of the roots
in aims.yaml at the time that the stamp says; (3) that very certificate has, critically, the purpose time stamping;
(4) the digest in it is that of the stamped bytes. Whether a certificate was revoked is **not** looked at.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aims_mlops.adapters.plain_http import Outside
from aims_mlops.errors import CannotDecide, VerificationError
from aims_mlops.plugin import require

_ROOTS = "name a PEM file with the root certificates of the authority under log: timestamps: in aims.yaml"


class TimestampAuthority:
    """`ports.TimestampAuthority` at an address, with the roots that are trusted for it, as PEM."""

    def __init__(self, address: str, roots: Path) -> None:
        """Read and connect to nothing yet; raise `UsageError` for what is no address."""
        self._outside = Outside.at(address, who="time stamp authority")
        self._roots = roots
        self.place = address

    def stamp(self, message: bytes) -> bytes:
        """Return a stamp of some bytes, verified; raise `CannotDecide` where none is given."""
        library, roots = _library(), self._trusted()
        request = library.TimestampRequestBuilder().data(message).hash_algorithm(library.HashAlgorithm.SHA256).build()
        status, answer = self._outside.post(request.as_bytes(), "application/timestamp-query")
        if status != HTTPStatus.OK:
            raise CannotDecide(f"{self.place} answered {status}: no time stamp", hint="is it an RFC 3161 authority?")
        _verify(answer, message, roots, request.nonce)
        return answer

    def read(self, stamp: bytes, message: bytes) -> datetime:
        """Return until when the stamped bytes existed at the latest: the stamp's time and its accuracy.

        Raises `VerificationError` where it is no stamp of exactly these bytes under the roots of this authority.
        """
        return _verify(stamp, message, self._trusted(), None)

    def _trusted(self) -> bytes:
        try:
            return self._roots.read_bytes()
        except OSError as error:
            what = f"the roots {self._roots.name} of {self.place} cannot be read ({error.strerror})"
            raise VerificationError(what, hint=_ROOTS) from error


@lru_cache(maxsize=1024)
def _verify(stamp: bytes, message: bytes, roots: bytes, nonce: int | None) -> datetime:
    from cryptography import x509

    library = _library()
    try:
        trusted = x509.load_pem_x509_certificates(roots)
    except ValueError as error:
        raise VerificationError(f"the roots of the authority are no certificates: {error}", hint=_ROOTS) from error
    builder = library.VerifierBuilder(roots=trusted)
    try:
        response = library.decode_timestamp_response(stamp)
        verifier = (builder if nonce is None else builder.nonce(nonce)).build()
        verifier.verify_message(response, message)
        found = response.tst_info
        return _utc(found.gen_time) + _accuracy(found.accuracy)
    except (ValueError, TypeError, OverflowError, library.VerificationError) as error:
        raise VerificationError(f"time stamp: {error}", hint="ask for another; nothing was kept") from error


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _accuracy(said: Any) -> timedelta:
    if said is None:
        return timedelta()
    return timedelta(seconds=said.seconds or 0, milliseconds=said.millis or 0, microseconds=said.micros or 0)


def _library() -> Any:
    return require("rfc3161_client", extra="timestamp")
