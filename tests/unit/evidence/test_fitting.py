"""What signed statements say that cannot be so."""

from __future__ import annotations

from aims_mlops.evidence.fitting import foreign, self_approved
from aims_mlops.evidence.record import Record
from aims_mlops.model.digest import Digest
from tests.builders import REGISTRY, failing, key, record, result, waiver_answer, waiver_request

OTHER = "00000000-0000-4000-8000-000000000000"


def said(act: str, asked_by: str, answered_by: str | None, *, keys: tuple[str, str] | None = None) -> list[Record]:
    """Return a request and an answer, each with the people and keys that signed it."""
    request = waiver_request(failing())
    names = keys or (asked_by, answered_by or "")
    first = record(request, seq=4, signer=asked_by, payload=Digest.of(request.to_bytes()))
    second = record(waiver_answer(act, request), seq=5, signer=answered_by)
    signers = ((first, asked_by, names[0]), (second, answered_by, names[1]))
    return [
        record(
            item.statement,
            seq=item.seq,
            signer=who,
            payload=item.payload,
            keys={} if who is None else {key(name).public.id: who},
        )
        for item, who, name in signers
    ]


def test_a_statement_of_another_registry_is_told_by_its_place() -> None:
    records = [record(result(), seq=0), record(result(registry_id=OTHER), seq=1)]
    (remark,) = foreign(records, REGISTRY)
    assert (remark.where, remark.what) == ("leaf 1", f"the check-result is of another registry, {OTHER!r}")


def test_an_approval_of_what_one_asked_for_is_told() -> None:
    (remark,) = self_approved(said("approve", "officer", "officer"))
    assert remark.where == "leaf 5"
    assert remark.what == "officer approved a waiver and asked for it, at leaf 4"


def test_an_approval_with_the_key_of_the_request_is_told_whoever_it_is_enrolled_for() -> None:
    (remark,) = self_approved(said("approve", "owner", "officer", keys=("shared", "shared")))
    assert remark.what.startswith("officer approved a waiver")


def test_approvals_by_others_revocations_and_those_of_strangers_are_not_told() -> None:
    assert self_approved(said("approve", "owner", "officer")) == []
    assert self_approved(said("revoke", "officer", "officer")) == []
    assert self_approved(said("approve", "owner", None)) == []
    assert self_approved(said("approve", "officer", "officer")[1:]) == [], "the request is not there"
