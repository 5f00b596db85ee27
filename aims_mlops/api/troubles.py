"""What a verification finds that does not hold, and the kept texts that statements refer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aims_mlops.api.services import Services
from aims_mlops.errors import VerificationError
from aims_mlops.evidence.record import Record
from aims_mlops.model.digest import Digest

_NAMES = "this statement names it"


@dataclass(frozen=True)
class Trouble:
    """One thing that does not hold: `hole`, `tampered`, `untrusted`, `mismatched` or `unproved`, where, and what.

    Whoever asks whether evidence verifies has an answer in each, exit code 4: also where it is gone (ADR 0026).
    """

    word: str
    where: str
    what: str


def kept_texts(services: Services, records: Sequence[Record]) -> list[Trouble]:
    """Return what does not hold of the texts that statements name by digest.

    A policy must be there, and nothing may be another text. A manifest that is gone is let pass: the files make it
    anew.
    """
    policies = {record.statement.header.policy_digest: record.seq for record in reversed(records)}
    manifests: dict[Digest | None, int] = {record.statement.subject: record.seq for record in reversed(records)}
    troubles = []
    for digest, seq in (manifests | policies).items():
        if digest is None:
            continue
        try:
            gone = services.store.blob(digest) is None and digest in policies
        except VerificationError as error:
            troubles.append(Trouble("tampered", f"leaf {seq}", f"{error}: {_NAMES}"))
            continue
        if gone:
            troubles.append(Trouble("hole", f"leaf {seq}", f"the text of the policy {digest.short} is gone: {_NAMES}"))
    return troubles
