"""`aims evidence`: what was recorded about a version, whether it holds, and a copy that others can check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aims_mlops.api.known_walk import KnownWalk
from aims_mlops.api.looking import walk_log
from aims_mlops.api.services import Services, trust_of
from aims_mlops.api.troubles import Trouble, kept_texts
from aims_mlops.errors import ExitCode, NothingToDo, UsageError, VerificationError
from aims_mlops.evidence import manifest
from aims_mlops.evidence.canonical import parse
from aims_mlops.evidence.completeness import Remark, astray, unfinished, unseen
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.fitting import foreign, self_approved
from aims_mlops.evidence.intent import intended
from aims_mlops.evidence.log import Fault, Head, Leaf, walk
from aims_mlops.evidence.predicates import target_text
from aims_mlops.evidence.record import Record, open_leaf
from aims_mlops.evidence.replay import in_words
from aims_mlops.evidence.tombstone import Erasure
from aims_mlops.evidence.waiver_body import Answer, Refused, Request, read
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelRef, ModelVersion
from aims_mlops.model.times import from_text

_SHORTEST = 8
"""Digits of a digest that are enough to look one up."""


@dataclass(frozen=True)
class Row:
    """One place of the log, for a list. `state` is `verified`, `untrusted`, `erased`, `tampered` or `hole`.

    Of what was erased its leaf and tombstone are known. Of what does not hold only its place is known, and what is
    wrong with it, in `says`.
    """

    seq: int | None
    digest: Digest | None
    kind: str
    model: str
    captured_at: datetime | None
    signer: str | None
    says: str
    state: str


@dataclass(frozen=True)
class Verification:
    """What `aims evidence verify` found. `leaves` were walked, `opened` statements were verified."""

    leaves: int
    opened: int
    model: str | None
    digest: Digest | None
    troubles: tuple[Trouble, ...]
    note: str = ""
    """What is known of the decision that let the version stand where it does; empty where that was not asked."""
    observations: tuple[Remark, ...] = ()
    """What is missing and breaks nothing: checks that were announced and have no result, and what was erased."""
    erased: int = 0
    """How many statements were erased; of the whole log."""

    @property
    def exit_code(self) -> ExitCode:
        """0 only where everything holds and there was something to verify."""
        if not self.troubles:
            return ExitCode.OK if self.opened else ExitCode.NOTHING
        return ExitCode.UNVERIFIED


def _open(services: Services, walked: KnownWalk, ref: ModelRef | None) -> list[Record | Fault]:
    trust = trust_of(services)
    excused = walked.excused
    there = [read.leaf for read in walked.leaves if read.leaf.seq not in excused]
    opened = [open_leaf(leaf, services.store.envelope(leaf.payload), trust) for leaf in there]
    return [item for item in opened if isinstance(item, Fault) or ref is None or _about(item, ref)]


def _about(record: Record, ref: ModelRef) -> bool:
    header = record.statement.header
    return header.model == ref.name and header.version == ref.version


def _resolved(services: Services, ref: ModelRef) -> ModelVersion:
    return services.registry.resolve(ref, services.store.registry_id())


def list_evidence(services: Services, ref: ModelRef | None = None) -> list[Row]:
    """List the statements of the log, oldest first; those about one version where it is named.

    What does not hold is in the list too, whatever version it was about: nobody can say that any more.
    """
    if ref is not None and ref.version is None:
        ref = ModelRef(ref.name, version=_resolved(services, ref).version)
    walked = walk_log(services, whole=True)
    faults = {fault.seq: fault for fault in reversed(walked.faults)}  # the first of each place
    rows = [_fault_row(fault) for fault in faults.values()]
    opened = [item for item in _open(services, walked, ref) if item.seq not in faults]
    rows += [_fault_row(item) if isinstance(item, Fault) else _row(item) for item in opened]
    rows += [_erased_row(item) for item in walked.excused.values() if ref is None or _about(item.tombstone, ref)]
    return sorted(rows, key=lambda row: -1 if row.seq is None else row.seq)


def _fault_row(fault: Fault) -> Row:
    return Row(fault.seq, None, "-", "-", None, None, fault.what, fault.kind)


def _erased_row(item: Erasure) -> Row:
    leaf = item.leaf
    try:
        captured_at = from_text(leaf.captured_at)
    except ValueError:
        captured_at = None
    return Row(leaf.seq, leaf.payload, item.kind, _label(item.tombstone), captured_at, None, item.says, "erased")


def _label(record: Record) -> str:
    header = record.statement.header
    return "/".join(part for part in (header.model, header.version) if part) or "-"


def _row(record: Record) -> Row:
    model = _label(record)
    state = "verified" if record.signer is not None else "untrusted"
    kind = record.statement.kind
    return Row(record.seq, record.payload, kind, model, record.captured_at, record.signer, says(record), state)


def says(record: Record) -> str:
    """Say in a few words what a statement says; anyone may sign anything, so that its body may be of any shape."""
    in_words = _SAYINGS.get(record.statement.kind)
    try:
        return "" if in_words is None else in_words(record.statement.body)
    except (AttributeError, KeyError, TypeError, ValueError, UsageError, VerificationError):
        return "ill-formed"


def _decision(body: Mapping[str, Any]) -> str:
    tried = "" if body["act"] == "promote" else f"{body['act']} "
    return f"{tried}{body['verdict']}" + (f" for {target_text(body['to'])}" if body["to"] else "")


def _waiver(body: Mapping[str, Any]) -> str:
    match read(body):
        case Request() as asked:
            return f"request for {asked.requirement}"
        case Answer() as answer:
            return f"{answer.act} {answer.request.short}"
        case Refused() as refused:
            return f"{refused.tried} refused: {refused.cause}"


_SAYINGS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "check-result": lambda body: f"{body['check']['id']} {body['outcome']}",
    "gate-decision": _decision,
    "promotion": lambda body: f"to {target_text(body['to'])}",
    "bypass-finding": lambda body: f"{body['word']} at {target_text(body['to'])}",
    "record": in_words,
    "key-event": lambda body: f"{body['act']} a key of {body['person']}",
    "policy": lambda body: f"number {body['sequence']}",
    "waiver": _waiver,
    "tombstone": lambda body: f"{body['kind']} of leaf {body['leaf']}: {body['reason']}, {body['basis']}",
    "intent": lambda body: f"to {body['act']}: {', '.join(intended(body))}",
}


def show(services: Services, text: str) -> dict[str, Any]:
    """Return one statement as JSON values by the beginning of its digest.

    Raises `VerificationError` where it is not what was appended, `NothingToDo` where it was erased. Its signature is
    not checked here.
    """
    leaf = find_leaf(services, text)
    must_be_there(services, leaf)
    content = services.store.envelope(leaf.payload)
    opened = open_leaf(leaf, content, trust_of(services))
    if isinstance(opened, Fault) or content is None:
        what = opened.what if isinstance(opened, Fault) else "it is gone"
        raise VerificationError(f"the statement {leaf.payload.hex} does not hold: {what}", hint="aims evidence verify")
    return parse(Envelope.from_bytes(content).payload, what="statement")


def must_be_there(services: Services, leaf: Leaf) -> None:
    """Raise `NothingToDo` for a leaf whose statement was erased."""
    erased = walk_log(services).excused.get(leaf.seq)
    if erased is not None:
        what = f"the {erased.kind} {leaf.payload.short} of leaf {leaf.seq} was {erased.says}"
        raise NothingToDo(what, hint=f"aims evidence show {erased.tombstone.payload.short} prints the tombstone")


def find_leaf(services: Services, text: str) -> Leaf:
    """Return the leaf of one statement by the beginning of its digest; raise `UsageError` for none or several."""
    wanted = text.removeprefix("sha256:")
    if len(wanted) < _SHORTEST:
        raise UsageError(f"{text!r} is too short to name a statement", hint=f"give {_SHORTEST} digits or more")
    found = {r.leaf.payload: r.leaf for r in walk_log(services).leaves if r.leaf.payload.hex.startswith(wanted)}
    if len(found) != 1:
        what = "no statement" if not found else f"{len(found)} statements"
        raise UsageError(f"{what} in the log with a digest that begins with {wanted}", hint="aims evidence list")
    (leaf,) = found.values()
    return leaf


def pin_head(services: Services) -> Head:
    """Write the outside head anew from the log as it stands; refuse where anything but the head does not hold.

    For an operator who looked: whatever was cut off before is from now on not missed.
    """
    walked = walk(services.store.leaves(), registry_id=services.store.registry_id(), head=None)
    inner = [fault for fault in walked.faults if fault.seq is not None]
    if inner:
        raise VerificationError(f"the log does not hold: {inner[0].what}", hint="restore the store from its backup")
    head = walked.head
    if head is None:
        raise NothingToDo("the log is empty: there is no head to pin", hint="aims check MODEL writes the first leaf")
    services.store.pin(head)
    return head


def verify(services: Services, ref: ModelRef | None = None) -> Verification:
    """Walk every leaf, open every statement, and digest the model's files again where a version is named."""
    walked = walk_log(services, whole=True)
    version = None if ref is None else _resolved(services, ref)
    if version is not None:
        ref = ModelRef(version.name, version=version.version)
    opened = _open(services, walked, ref)
    troubles = [Trouble(fault.kind, _place(fault), fault.what) for fault in walked.faults]
    seen = {fault.seq for fault in walked.faults}
    records = [item for item in opened if isinstance(item, Record)]
    troubles += [
        Trouble(item.kind, _place(item), item.what)
        for item in opened
        if isinstance(item, Fault) and item.seq not in seen
    ]
    troubles += [
        Trouble(
            "untrusted",
            f"leaf {record.seq}",
            f"{record.statement.kind} {record.payload.short} "
            + (f"does not count: {record.why}" if record.why else "is not signed by anyone trusted for it"),
        )
        for record in records
        if record.signer is None
    ]
    strange = foreign(records, services.store.registry_id())
    troubles += [Trouble("mismatched", remark.where, remark.what) for remark in strange]
    troubles += [Trouble("untrusted", remark.where, remark.what) for remark in self_approved(records)]
    troubles += kept_texts(services, records)
    missing = tuple(_erased(services, walked))
    if not walked.faults:  # else what is missing was lost perhaps, and the log's own faults say where
        troubles += _incomplete(walked, records)
        missing += tuple(unfinished(records))
    digest = None
    if version is not None:
        digest, changed = _model(services, version, records)
        troubles += changed
    label = None if version is None else version.label
    found = Verification(len(walked.leaves), len(records), label, digest, tuple(troubles), observations=missing)
    return replace(found, erased=len(walked.excused))


def _erased(services: Services, walked: KnownWalk) -> Iterator[Remark]:
    there = services.store.envelope_digests([item.leaf.payload for item in walked.erased.values()])
    for seq, item in sorted(walked.erased.items()):
        still = "; its text is still there: repeat `aims evidence erase`" if item.leaf.payload in there else ""
        yield Remark(f"leaf {seq}", f"the {item.kind} of it was {item.says}{still}")


def _incomplete(walked: KnownWalk, records: Sequence[Record]) -> list[Trouble]:
    """Return what statements say to have seen or announced, and the log does not have."""

    def leaf_of(payload: str) -> Leaf | None:
        read = walked.of(payload)
        return None if read is None else read.leaf

    by_subject: dict[Digest, list[Record]] = {}
    for record in records:
        if record.statement.kind == "gate-decision" and record.signer is not None:
            by_subject.setdefault(record.statement.subject, []).append(record)
    remarks = astray(records, leaf_of)
    for subject, decisions in by_subject.items():
        remarks += unseen(decisions, [read.leaf for read in walked.about(subject)])
    return [Trouble("mismatched", remark.where, remark.what) for remark in remarks]


def _place(fault: Fault) -> str:
    return "head" if fault.seq is None else f"leaf {fault.seq}"


def _model(services: Services, version: ModelVersion, records: Sequence[Record]) -> tuple[Digest | None, list[Trouble]]:
    """Digest the files as they are now and compare them with what the newest check result is about."""
    try:
        now = services.registry.manifest(version)
    except VerificationError as error:
        return None, [Trouble("mismatched", version.label, str(error))]
    digest = Digest.of(now)
    checked = [record for record in records if record.statement.kind == "check-result"]
    newest = max(checked, key=lambda record: record.seq, default=None)
    if newest is None:
        return digest, []
    header = newest.statement.header
    if (header.workspace, header.version_created_at) != (version.workspace, version.created_at):
        what = f"it was checked as another registration of this name and number (leaf {newest.seq})"
        return digest, [Trouble("mismatched", version.label, what)]
    if newest.statement.subject == digest:
        return digest, []
    then = newest.statement.subject
    what = f"the files are not those that were checked (then {then.short}, now {digest.short})"
    return digest, [Trouble("mismatched", version.label, what + _changes(services.store.blob(then), now))]


def _changes(then: bytes | None, now: bytes) -> str:
    if then is None:
        return ""
    named = zip(("added", "removed", "changed"), manifest.compare(then, now), strict=True)
    return "".join(f"; {word}: {', '.join(files)}" for word, files in named if files)
