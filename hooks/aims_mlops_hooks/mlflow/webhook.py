"""Says whether a delivery of MLflow's webhooks is genuine. Importing this module imports no MLflow.

A delivery is accepted where, in this order:

1. it carries `X-MLflow-Delivery-Id`, `X-MLflow-Timestamp` and `X-MLflow-Signature`, each once;
2. one of the signatures is `v1,` and the base64 of HMAC-SHA256(secret, "ID.TIMESTAMP.BODY") over the bytes received;
3. the time is not further from now than five minutes;
4. no delivery of this id was accepted before.

What the body says is not looked at: a delivery starts a look at the registry, and the look sees for itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Mapping

from aims_mlops.errors import UsageError

DELIVERY_ID, TIMESTAMP, SIGNATURE = "x-mlflow-delivery-id", "x-mlflow-timestamp", "x-mlflow-signature"
"""The headers of a delivery, in lower case."""

WINDOW = 300
"""How far a delivery's time may be from ours, in seconds."""

_LONGEST_ID = 200
_SHORTEST_SECRET = 16


class MlflowWebhook:
    """Knows the secret of a webhook and the deliveries of the last minutes. Safe to use from several threads.

    The ids are kept in memory: after a restart a delivery that is not five minutes old can be given once more, and
    starts one more look.
    """

    def __init__(self, secret: bytes) -> None:
        """Raise `UsageError` for a secret that can be guessed."""
        if len(secret) < _SHORTEST_SECRET:
            raise UsageError(
                f"the webhook's secret has {len(secret)} bytes, and {_SHORTEST_SECRET} are the least",
                hint="openssl rand -base64 32 makes one; MLflow gets the same when the webhook is made",
            )
        self._secret = secret
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def refusal(self, headers: Mapping[str, str], body: bytes, *, now: float) -> tuple[int, str] | None:
        """Return None for a genuine delivery, else an HTTP status and a sentence. `headers` have lower-case names.

        `now` is in seconds since 1970. An accepted delivery is remembered, and refused when it comes again.
        """
        id_, stamp, signed = (headers.get(name, "") for name in (DELIVERY_ID, TIMESTAMP, SIGNATURE))
        if not (id_ and stamp and signed) or len(id_) > _LONGEST_ID:
            return 401, "not signed: a webhook without a secret is not listened to"
        if not self._signed(id_, stamp, body, signed):
            return 401, "the signature does not hold"
        # MLflow writes whole seconds; what is signed was written by it, but another clock may have been asked.
        if not stamp.isascii() or not stamp.isdigit() or abs(now - int(stamp)) > WINDOW:
            return 401, f"the delivery is not of the last {WINDOW // 60} minutes: compare the clocks"
        return None if self._first(id_, now) else (409, "this delivery was here before")

    def _signed(self, id_: str, stamp: str, body: bytes, signed: str) -> bool:
        content = f"{id_}.{stamp}.".encode() + body
        wanted = b"v1," + base64.b64encode(hmac.new(self._secret, content, hashlib.sha256).digest())
        # Several signatures, set apart by blanks, are how Standard Webhooks change a secret.
        return any(hmac.compare_digest(wanted, given.encode()) for given in signed.split(" ")[:4])

    def _first(self, id_: str, now: float) -> bool:
        with self._lock:
            self._seen = {known: at for known, at in self._seen.items() if now - at <= 2 * WINDOW}
            if id_ in self._seen:
                return False
            self._seen[id_] = now
            return True
