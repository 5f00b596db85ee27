"""What a signed statement says that cannot be so: another registry's, or an approval of what its signer asked for.

Pure: opened records in, remarks out. The gate does not count such statements; here they are said, so that whoever
verifies a log learns that somebody put them there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aims_mlops.evidence.completeness import Remark
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.waiver_body import Answer, read_or_none


def foreign(records: Iterable[Record], registry_id: str) -> list[Remark]:
    """Say which statements are of another registry: a log belongs to one, and evidence serves no other (law 3)."""
    return [
        Remark(f"leaf {record.seq}", f"the {record.statement.kind} is of another registry, {named!r}")
        for record in records
        if (named := record.statement.header.registry_id) != registry_id
    ]


def self_approved(records: Sequence[Record]) -> list[Remark]:
    """Say which approvals of waivers were signed by somebody, or with a key, that asked for the waiver too.

    Approvals that nobody who is trusted signed are not remarked here: of them it is said that they are untrusted.
    """
    waivers = [record for record in records if record.statement.kind == "waiver"]
    asked = {record.payload: record for record in waivers}
    remarks = []
    for record in waivers:
        body = read_or_none(record.statement.body)
        request = asked.get(body.request) if isinstance(body, Answer) and body.act == "approve" else None
        if request is None or record.signer is None:
            continue
        same = set(record.keys.values()) & set(request.keys.values())
        if same or set(record.keys) & set(request.keys):
            who = ", ".join(sorted(same)) or record.signer
            remarks.append(
                Remark(f"leaf {record.seq}", f"{who} approved a waiver and asked for it, at leaf {request.seq}")
            )
    return remarks
