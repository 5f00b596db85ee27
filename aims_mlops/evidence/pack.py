"""Verifies a pack: bytes and trust in, a verdict out. No clock, no network, and nothing believed that the pack says.

In this order, and each file is read once:

1. the index is in its one form, signed by a key that is trusted for packs, and of the registry that is trusted;
2. the files are exactly those of the index, byte for byte;
3. the leaves are exactly those of the index, in their order;
4. each has the statement that it names: signed by somebody trusted for its kind, of this registry and system, and
   recorded in the period or before it, as the index says;
5. each leaf is proved to be in a checkpoint that the log signed, and each checkpoint to be a beginning of the next;
6. what the statements say of each other is there: results name intents, decisions say what they saw, and nothing
   that one of them names by its digest is filed as another system's.

Where something is wrong the pack is INVALID. Where nothing is wrong and something is not there it is INCOMPLETE. That
the signer of the index named every leaf of the system is shown only as far as 6 goes: beyond it, his word stands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from aims_mlops.errors import ExitCode, VerificationError
from aims_mlops.evidence.completeness import Remark, astray, unfinished, unseen
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.pack_checkpoints import Checkpoints, check_log
from aims_mlops.evidence.pack_index import INDEX, PackIndex, manifest_file, open_index, policy_file, signer_of
from aims_mlops.evidence.pack_reading import PackReading, PackTrouble, read_files, read_leaves, read_statements
from aims_mlops.evidence.pack_trust import PackTrust
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import MANIFEST, Header, Statement, predicate_type
from aims_mlops.evidence.tombstone import erasure
from aims_mlops.model.digest import Digest
from aims_mlops.model.times import from_text


class PackVerdict(StrEnum):
    """What can be said of a pack as a whole."""

    VALID = "VALID"
    INVALID = "INVALID"
    INCOMPLETE = "INCOMPLETE"


@dataclass(frozen=True, slots=True)
class PackReport:
    """What verifying found. Without `index` nothing could be read, and there is nothing else to tell."""

    index: PackIndex | None
    header: Header | None
    digest: Digest | None
    """Of the index's statement: the name of this very pack."""
    signed_by: str | None
    """Who signed the index; None where it is nobody who is trusted for packs."""
    records: tuple[Record, ...]
    leaves: Mapping[int, Leaf]
    checkpoints: Checkpoints
    troubles: tuple[PackTrouble, ...]
    remarks: tuple[str, ...]
    """What is worth knowing and breaks nothing."""
    trusted: bool
    """Whether trust was given at all."""

    @property
    def verdict(self) -> PackVerdict:
        """The verdict in one word."""
        if any(trouble.word != "missing" for trouble in self.troubles):
            return PackVerdict.INVALID
        return PackVerdict.INCOMPLETE if self.troubles or not self.trusted else PackVerdict.VALID

    @property
    def unwitnessed(self) -> int:
        """How many of the pack's leaves nobody outside has seen: whoever holds the log's key could rewrite them."""
        seen = max(self.checkpoints.witnessed, self.checkpoints.compared)
        return sum(seq >= seen for seq in self.leaves)

    @property
    def exit_code(self) -> ExitCode:
        """0 only for a valid pack of which somebody outside has seen something; 5 where nobody has."""
        if self.verdict is PackVerdict.INVALID:
            return ExitCode.UNVERIFIED
        if self.verdict is PackVerdict.INCOMPLETE:
            return ExitCode.UNDECIDED
        return ExitCode.NOTHING if self.unwitnessed == len(self.leaves) else ExitCode.OK


def verify_pack(
    names: Collection[str],
    read: Callable[[str], bytes],
    trust: PackTrust | None,
    *,
    odd: Mapping[str, str] | None = None,
    brought: Mapping[str, bytes] | None = None,
) -> PackReport:
    """Verify the pack that has files of these names, as `read` gives their bytes.

    `odd` are things that are no plain files, and what they are; `brought` are checkpoints that the reader kept himself,
    by name. Without trust only the form is checked, and the best verdict is INCOMPLETE. Never raises for what it
    reads; `read` may raise `VerificationError`.
    """
    troubles = [PackTrouble("tampered", name, f"{what}, and no plain file") for name, what in (odd or {}).items()]
    try:
        if INDEX not in names:
            raise VerificationError("it is not there: this is no pack, or its index was taken away")
        envelope, statement, index = open_index(read(INDEX))
    except VerificationError as error:
        troubles.append(PackTrouble("tampered", INDEX, str(error)))
        return PackReport(None, None, None, None, (), {}, Checkpoints(), tuple(troubles), (), trust is not None)
    work = PackReading(index, trust, troubles)
    read_files(work, names, read)
    read_leaves(work)
    signer = None if trust is None else _signed_by(work, envelope, statement, trust)
    read_statements(work)
    _forgive_erased(work)
    seen = check_log(work, brought or {})
    _held_to_each_other(work)
    return PackReport(
        index=index,
        header=statement.header,
        digest=envelope.payload_digest,
        signed_by=signer,
        records=tuple(work.records[seq] for seq in sorted(work.records)),
        leaves=work.leaves,
        checkpoints=seen,
        troubles=tuple(work.troubles),
        remarks=tuple(_remarks(work)),
        trusted=trust is not None,
    )


def _signed_by(work: PackReading, envelope: Envelope, statement: Statement, trust: PackTrust) -> str | None:
    """Return who signed the index, and note where that is nobody who may, or it is another registry's."""
    try:
        newest = max((from_text(leaf.captured_at) for leaf in work.leaves.values()), default=None)
    except ValueError:  # a leaf whose time does not read may be of any time
        newest = datetime.max.replace(tzinfo=UTC)
    signer = signer_of(envelope, statement, trust.trust, newest=newest)
    if signer is None:
        work.wrong("untrusted", INDEX, "not signed by anybody who is trusted for a pack")
    if statement.header.registry_id != trust.registry:
        what = f"of the registry {statement.header.registry_id[:40]}, not of {trust.registry}"
        work.wrong("mismatched", INDEX, what)
    return signer


def _forgive_erased(work: PackReading) -> None:
    """Let a statement be away that a trusted tombstone names by its digest."""
    tombstones = [record for record in work.records.values() if record.statement.kind == "tombstone" and record.signer]
    erased = {
        f"leaf {leaf.seq}"
        for record in tombstones
        for leaf in work.leaves.values()
        if erasure(leaf, record, registry_id=record.statement.header.registry_id) is not None
    }
    work.troubles[:] = [item for item in work.troubles if item.word != "missing" or item.where not in erased]


def _held_to_each_other(work: PackReading) -> None:
    """Note what trusted statements say to have seen or announced, and the pack does not have (6)."""
    by_payload = {str(leaf.payload): leaf for leaf in work.leaves.values()}
    records = [work.records[seq] for seq in sorted(work.records)]
    remarks = list(astray(records, by_payload.get))
    decisions: dict[Digest, list[Record]] = {}
    for record in records:
        if record.statement.kind == "gate-decision" and record.signer is not None:
            decisions.setdefault(record.statement.subject, []).append(record)
    about: dict[Digest, list[Leaf]] = {}
    for seq in sorted(work.leaves):
        about.setdefault(work.leaves[seq].subject, []).append(work.leaves[seq])
    for subject, decided in decisions.items():
        remarks += unseen(decided, about.get(subject, []))
    for remark in (*remarks, *_misfiled(work, records)):
        work.wrong("missing", remark.where, remark.what)
    for name, content in work.files.items():
        folder, _, rest = name.partition("/")
        if folder in ("policies", "models") and Digest.of(content).hex != rest.partition(".")[0]:
            work.wrong("mismatched", name, "its digest is not the one that it is named by")


def _misfiled(work: PackReading, records: Iterable[Record]) -> Iterator[Remark]:
    """Say which leaves of other systems a trusted statement of this one names: it rests on them.

    A tombstone rests on nothing, and may be of anything in the registry.
    """
    named: dict[str, int] = {}
    for record in records:
        if record.signer is not None and record.statement.kind != "tombstone":
            for digest in _texts(record.statement.body):
                named.setdefault(digest, record.seq)
    for seq in work.index.others:
        leaf = work.leaves.get(seq)
        if leaf is not None and str(leaf.payload) in named:
            what = f"filed as another system's, and leaf {named[str(leaf.payload)]} of this one rests on it"
            yield Remark(f"leaf {seq}", what)


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a statement's body."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _remarks(work: PackReading) -> Iterator[str]:
    records = [work.records[seq] for seq in sorted(work.records)]
    yield from (f"{remark.where}: {remark.what}" for remark in unfinished(records))
    yield from _without(work, "the policy's text", {policy_file(item) for item in _policies(records)})
    models = {record.statement.subject for record in records if record.statement.subject_name == MANIFEST}
    yield from _without(work, "the model's manifest", {manifest_file(item) for item in models})
    erased = sum(leaf.type == predicate_type("tombstone") for leaf in work.leaves.values())
    if erased:
        yield f"texts were erased lawfully: {erased} times"


def _policies(records: Iterable[Record]) -> Iterator[Digest]:
    for record in records:
        if (digest := record.statement.header.policy_digest) is not None:
            yield digest


def _without(work: PackReading, what: str, names: Collection[str]) -> Iterator[str]:
    yield from (f"{name}: {what} is not in the pack" for name in sorted(names) if name not in work.index.files)
