"""Fills an evidence store fast with real signed statements: the same bytes as appending one by one would leave.

Statements of the kinds and sizes that daily use leaves behind, about versions of twenty models; or, with `one`, all
about one version, the worst history that a version can have. Each is signed, each leaf is chained, and the head
outside is moved once at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.sql_tables import ENVELOPE, LEAF
from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.evidence.log import Head, Leaf, genesis
from aims_mlops.evidence.statement import Header, Statement, predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelVersion
from aims_mlops.model.times import to_text
from aims_mlops.ports import Signer

_BATCH = 2000
_CYCLE = ("check-result", "check-result", "check-result", "check-result", "gate-decision", "promotion")
_NONCE, _SUBJECT = "0" * 32, Digest.of(b"a subject to be replaced")
_MODEL, _VERSION = "model-zz", "version-zz"


@dataclass(frozen=True)
class Filler:
    """Writes statements of one signer into one store."""

    store: SqlEvidenceStore
    signer: Signer
    one: tuple[ModelVersion, Digest] | None = None
    """The version and model digest that all statements are about; None for many versions."""

    def fill(self, size: int) -> None:
        """Write until the log has `size` leaves. Nobody else may write meanwhile."""
        rows = list(self.store.leaves())
        prev = Digest.of(rows[-1]) if rows else genesis(self.store.registry_id())
        templates = {kind: self._template(kind) for kind in _CYCLE}
        leaves: list[dict[str, Any]] = []
        envelopes: list[dict[str, Any]] = []
        for seq in range(len(rows), size):
            leaf, row, envelope = self._entry(seq, prev, templates)
            prev = Digest.of(leaf)
            leaves.append(row)
            envelopes.append(envelope)
            if len(leaves) == _BATCH or seq == size - 1:
                self._write(leaves, envelopes)
                leaves, envelopes = [], []
        if len(rows) < size:
            self.store.pin(Head(size - 1, prev))

    def _entry(
        self, seq: int, prev: Digest, templates: dict[str, bytes]
    ) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
        kind, number = _CYCLE[seq % len(_CYCLE)], seq // len(_CYCLE)
        model, version, subject = f"model-{number % 20:02}", str(number // 20 + 1), Digest.of(b"files %d" % number)
        if self.one is not None:
            model, version, subject = self.one[0].name, self.one[0].version, self.one[1]
        payload = (
            templates[kind]
            .replace(_NONCE.encode(), b"%032d" % seq)
            .replace(_SUBJECT.hex.encode(), subject.hex.encode())
        )
        payload = payload.replace(f'"{_MODEL}"'.encode(), f'"{model}"'.encode())
        payload = payload.replace(f'"{_VERSION}"'.encode(), f'"{version}"'.encode())
        signature = Signature(self.signer.key_id, self.signer.sign(pae(payload)))
        content = Envelope(payload, (signature,)).to_bytes()
        name, type_ = Digest.of(payload), predicate_type(kind)
        leaf = Leaf(seq, prev, type_, name, Digest.of(content), subject, to_text(datetime.now(UTC))).to_bytes()
        row = {"seq": seq, "leaf": leaf, "digest": str(Digest.of(leaf)), "payload": str(name), "type": type_}
        row |= {"subject": str(subject), "model": model, "version": version, "system": "income"}
        return leaf, row, {"payload": str(name), "envelope": content}

    def _write(self, leaves: list[dict[str, Any]], envelopes: list[dict[str, Any]]) -> None:
        with self.store._database.engine.begin() as connection:  # noqa: SLF001  # past `append`, for speed
            connection.execute(insert(LEAF), leaves)
            connection.execute(insert(ENVELOPE), envelopes)

    def _template(self, kind: str) -> bytes:
        """Return a statement whose changing parts are marks of their own; sorted keys keep it canonical."""
        made = datetime.now(UTC) - timedelta(days=1)
        header = Header(
            registry_id=self.store.registry_id(),
            workspace="default",
            model=_MODEL,
            version=_VERSION,
            version_created_at=made if self.one is None else self.one[0].created_at,
            system="income",
            policy_digest=Digest.of(b"an earlier policy"),
            tool={"name": "aims-mlops", "version": "0.1.0"},
            libraries={"fairlearn": "0.13.0"},
            nonce=_NONCE,
            measured_at=made,
            signed_at=made,
        )
        return Statement(kind, _SUBJECT, header, _BODIES[kind]).to_bytes()


def _measures() -> Iterator[dict[str, Any]]:
    for number in range(12):
        yield {
            "metric": "selection_rate",
            "outcome": "passed",
            "value": 0.5 + number / 100,
            "interval": {"low": 0.41, "high": 0.63, "level": 0.95},
            "slice": {"sex": "F", "age_band": f"{number * 5}-{number * 5 + 4}"},
            "rows": 1200 + number,
        }


_REQUIREMENTS = [
    {"id": f"check-{number}", "kind": "check", "status": "passed", "required": True, "evidence": str(_SUBJECT)}
    for number in range(6)
]
_BODIES: dict[str, dict[str, Any]] = {
    "check-result": {
        "check": {"id": "fill", "use": "fairness"},
        "outcome": "passed",
        "reason": "every group is within the limit",
        "hint": "",
        "measures": list(_measures()),
    },
    "gate-decision": {
        "act": "promote",
        "verdict": "allowed",
        "to": {"alias": "challenger"},
        "requirements": _REQUIREMENTS,
        "actor": "pipeline",
        "actorVia": "signature",
    },
    "promotion": {
        "to": {"alias": "challenger"},
        "decision": str(_SUBJECT),
        "asked": None,
        "reason": "set in the registry",
        "actor": "pipeline",
        "actorVia": "signature",
    },
}
