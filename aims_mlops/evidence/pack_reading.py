"""The files of a pack, its leaves and its statements, held to the signed index: steps 2 to 4 of `evidence.pack`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.anchors import Anchor, cosigned
from aims_mlops.evidence.checkpoint import open_checkpoint
from aims_mlops.evidence.log import Fault, Leaf
from aims_mlops.evidence.pack_index import INDEX, LEAVES, PackIndex, is_name, statement_file
from aims_mlops.evidence.pack_trust import PackTrust
from aims_mlops.evidence.record import Record, Trust, open_leaf
from aims_mlops.evidence.statement import KINDS, predicate_type
from aims_mlops.model.digest import Digest

CHECKPOINTS = "checkpoints/"
"""Where a pack has its checkpoints."""

_KINDS = {predicate_type(kind): kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class PackTrouble:
    """One thing that does not hold: the word for it, where it is, and what. What is `missing` breaks nothing."""

    word: str
    """`tampered`, `untrusted`, `mismatched` or `missing`."""
    where: str
    what: str


@dataclass(slots=True)
class PackReading:
    """A pack as far as it was read, and everything found wrong on the way. Without `trust` no signature counts."""

    index: PackIndex
    trust: PackTrust | None
    troubles: list[PackTrouble] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    leaves: dict[int, Leaf] = field(default_factory=dict)
    lines: dict[int, bytes] = field(default_factory=dict)
    """The leaves' bytes."""
    records: dict[int, Record] = field(default_factory=dict)

    def wrong(self, word: str, where: str, what: object) -> None:
        """Note a trouble."""
        self.troubles.append(PackTrouble(word, where, str(what)))


def kind_of(leaf: Leaf) -> str | None:
    """Return the kind of the statement that a leaf is of; None where there is no such kind."""
    return _KINDS.get(leaf.type)


def read_files(work: PackReading, names: Collection[str], read: Callable[[str], bytes]) -> None:
    """Read every file once and hold it to the index: nothing more, nothing less, nothing else."""
    index, there = work.index, set(names)
    for name in sorted(there - set(index.files) - {INDEX}):
        work.wrong("tampered", name if is_name(name) else ascii(name), "not in the index: somebody added it")
    for name, entry in index.files.items():
        if name not in there:
            work.wrong("tampered", name, "in the index, and not there: somebody took it away")
            continue
        try:
            content = read(name)
        except VerificationError as error:
            work.wrong("tampered", name, error)
            continue
        work.files[name] = content
        if len(content) != entry.size or hashlib.sha256(content).hexdigest() != entry.digest.hex:
            work.wrong("tampered", name, "its bytes are not those that the index was signed over")


def read_leaves(work: PackReading) -> None:
    """Read the leaves and hold them to the places that the index names; neighbours to each other too."""
    found = []
    for number, line in enumerate(work.files.get(LEAVES, b"").split(b"\n")[:-1], 1):
        try:
            leaf = Leaf.from_bytes(line)
        except VerificationError as error:
            work.wrong("tampered", f"{LEAVES}, line {number}", error)
            continue
        found.append(leaf.seq)
        work.leaves[leaf.seq], work.lines[leaf.seq] = leaf, line
        before = work.lines.get(leaf.seq - 1)
        if before is not None and leaf.prev != Digest.of(before):
            work.wrong("tampered", f"leaf {leaf.seq}", "it does not follow from the one before it")
    if tuple(found) != work.index.leaves:
        work.wrong("tampered", LEAVES, "its leaves are not those that the index names, in their order")


def read_statements(work: PackReading) -> None:
    """Open the statement of each leaf of the system, and hold it to what the index says of it."""
    index, period = work.index, frozenset(work.index.period)
    trust = (
        Trust({}, {}) if work.trust is None else replace(work.trust.trust, anchors=tuple(_anchors(work, work.trust)))
    )
    for seq in index.own:
        leaf = work.leaves.get(seq)
        if leaf is None:
            continue
        name = statement_file(seq, kind_of(leaf) or "unknown")
        content = work.files.get(name)
        if content is None:
            if name not in index.files:
                work.wrong("missing", f"leaf {seq}", "the pack does not have its statement")
            continue
        opened = open_leaf(leaf, content, trust)
        if isinstance(opened, Fault):
            work.wrong("tampered", name, opened.what)
            continue
        work.records[seq] = opened
        for word, what in _objections(work, opened, in_period=seq in period):
            work.wrong(word, name, what)


def _anchors(work: PackReading, trust: PackTrust) -> Iterator[Anchor]:
    """Yield when trusted witnesses saw the log. That each checkpoint is of this log is for step 5 to show."""
    for name in sorted(work.files):
        if name.startswith(CHECKPOINTS) and trust.origin is not None:
            try:
                signed = open_checkpoint(work.files[name], origin=trust.origin, keys=trust.log_keys)
                anchor = cosigned(signed, trust.witnesses, trust.quorum)
            except VerificationError:
                continue
            if anchor is not None:
                yield anchor


def _objections(work: PackReading, record: Record, *, in_period: bool) -> Iterator[tuple[str, str]]:
    index, header = work.index, record.statement.header
    if work.trust is not None and record.signer is None:
        why = f": {record.why}" if record.why else ""
        yield "untrusted", f"not signed by anybody who is trusted for a {record.statement.kind}{why}"
    if work.trust is not None and header.registry_id != work.trust.registry:
        yield "mismatched", f"of the registry {header.registry_id[:40]}, not of {work.trust.registry}"
    if header.system not in (None, index.system):
        yield "mismatched", f"of the system {str(header.system)[:40]}, not of {index.system}"
    if in_period != (index.start <= record.captured_at < index.end) or record.captured_at >= index.end:
        yield "mismatched", f"recorded at {record.captured_at.isoformat()}, which is not where the index has it"
