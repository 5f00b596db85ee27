"""Asking a C2SP witness over HTTP(S)."""

from __future__ import annotations

from aims_mlops.adapters.plain_http import Outside


class WitnessClient:
    """`ports.Witness` at a submission prefix, e.g. `https://witness.example.org/aims`."""

    def __init__(self, address: str) -> None:
        """Connect to nothing yet; raise `UsageError` for an address that is not http(s), or has more than a path."""
        self._outside = Outside.at(address, who="witness")
        self.place = address

    def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the answer. Raises `CannotDecide`."""
        return self._outside.post(request, "text/plain; charset=utf-8", under="/add-checkpoint")
