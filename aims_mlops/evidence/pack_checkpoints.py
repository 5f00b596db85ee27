"""The checkpoints of a pack, the proofs between them, and the proofs that its leaves are in one: step 5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aims_mlops.errors import VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import SignedCheckpoint, open_checkpoint, read_hash, write_hash
from aims_mlops.evidence.pack_index import consistency_file, proof_file
from aims_mlops.evidence.pack_proofs import ProofBook
from aims_mlops.evidence.pack_reading import CHECKPOINTS, PackReading
from aims_mlops.evidence.pack_trust import PackTrust


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """How far checkpoints that hold speak, in leaves from the first on; witnesses are named once each."""

    roots: tuple[tuple[int, str], ...] = ()
    """Size and root of each checkpoint that holds, smallest first."""
    witnesses: tuple[str, ...] = ()
    """Trusted witnesses that cosigned the largest witnessed checkpoint, or the largest of all where none is."""
    witnessed: int = 0
    """How many leaves a quorum of trusted witnesses has seen."""
    compared: int = 0
    """How many leaves a checkpoint speaks for that the reader kept himself."""
    incomparable: tuple[str, ...] = ()
    """Checkpoints of the reader that this pack has nothing to compare with."""


def write_consistency(hashes: list[bytes]) -> bytes:
    """Return the file of a consistency proof: a hash a line, in base64."""
    return "".join(f"{write_hash(item)}\n" for item in hashes).encode()


def check_log(work: PackReading, brought: Mapping[str, bytes]) -> Checkpoints:
    """Verify checkpoints, consistency and inclusion; return how far outsiders saw. Notes what is wrong in `work`."""
    trust = work.trust
    if trust is None:
        return Checkpoints()
    if trust.origin is None:
        work.wrong("missing", "log", "the trust names no log: that these statements are in one cannot be shown")
        return Checkpoints()
    if work.index.log.origin not in (None, trust.origin):
        work.wrong("mismatched", "log", f"the pack is of the log {work.index.log.origin}, not of {trust.origin}")
        return Checkpoints()
    opened = _opened(work, trust)
    _consistent(work, opened)
    _included(work, trust, opened)
    return _seen(work, trust, opened, brought)


def _opened(work: PackReading, trust: PackTrust) -> list[SignedCheckpoint]:
    opened: list[SignedCheckpoint] = []
    for name in sorted(work.files):
        if not name.startswith(CHECKPOINTS):
            continue
        try:
            found = _open(work.files[name], trust)
        except VerificationError as error:
            work.wrong("untrusted" if "not signed by a key" in str(error) else "tampered", name, error)
            continue
        if any(item.size == found.size and item.root != found.root for item in opened):
            work.wrong("tampered", name, f"the log signed two different trees of {found.size} leaves: two histories")
        opened.append(found)
    return sorted(opened, key=lambda item: item.size)


def _open(content: bytes, trust: PackTrust) -> SignedCheckpoint:
    found = open_checkpoint(content, origin=trust.origin or "", keys=trust.log_keys)
    found.witnesses(trust.witnesses)  # a bad one in the name of a trusted witness spoils it
    return found


def _consistent(work: PackReading, opened: list[SignedCheckpoint]) -> None:
    roots = {item.size: item.root for item in opened if item.size}
    for old, new in zip(list(roots), list(roots)[1:], strict=False):
        name = consistency_file(old, new)
        content = work.files.get(name)
        if content is None:
            work.wrong("missing", name, "the pack does not prove that the log only grew between these checkpoints")
            continue
        try:
            lines = content.decode("ascii", "replace").split("\n")
            if lines.pop():
                raise VerificationError("consistency: the last line does not end")
            proof = [read_hash(line, what="consistency: a hash") for line in lines]
            merkle.verify_consistency(old, roots[old], new, roots[new], proof)
        except VerificationError as error:
            work.wrong("tampered", name, error)


def _included(work: PackReading, trust: PackTrust, opened: list[SignedCheckpoint]) -> None:
    log = work.index.log
    if log.root is None:
        what = "no checkpoint was signed when the pack was made: that these statements are in a log is not proved"
        work.wrong("missing", "log", what)
        return
    if not any((item.size, item.root.hex()) == (log.size, log.root) for item in opened):
        work.wrong("tampered", "log", f"the pack has no checkpoint of {log.size} leaves with the root that it names")
    book = ProofBook(trust.origin or "", trust.log_keys)
    for seq, line in work.lines.items():
        name = proof_file(seq)
        content = work.files.get(name)
        if seq >= log.size:
            work.wrong("missing", f"leaf {seq}", f"it came after the checkpoint of {log.size} leaves: not proved yet")
        elif content is None and name not in work.index.files:
            work.wrong("missing", f"leaf {seq}", "the pack has no proof that it is in the log")
        elif content is not None:
            try:
                found = book.verify(content, line, seq)
                if (found.size, found.root.hex()) != (log.size, log.root):
                    raise VerificationError("proof: to another checkpoint than the pack names")
            except VerificationError as error:
                work.wrong("tampered", name, error)


def _seen(
    work: PackReading, trust: PackTrust, opened: list[SignedCheckpoint], brought: Mapping[str, bytes]
) -> Checkpoints:
    seen = [(item.size, item.witnesses(trust.witnesses)) for item in opened]
    witnessed = max((size for size, names in seen if len(names) >= trust.quorum), default=0)
    cosigned = [names for size, names in seen if size == witnessed or not witnessed]
    compared, incomparable = 0, []
    for name, size in _brought(work, trust, opened, brought):
        if size is None:
            incomparable.append(name)
        else:
            compared = max(compared, size)
    last = cosigned[-1] if cosigned else ()
    roots = tuple((item.size, item.root.hex()) for item in opened)
    return Checkpoints(roots, last, witnessed, compared, tuple(incomparable))


def _brought(
    work: PackReading, trust: PackTrust, opened: list[SignedCheckpoint], brought: Mapping[str, bytes]
) -> Iterator[tuple[str, int | None]]:
    """Hold what the reader kept himself to the pack; yield its name and size, None where nothing can be compared."""
    for name, content in brought.items():
        try:
            mine = _open(content, trust)
        except VerificationError as error:
            work.wrong("tampered", name, error)
            continue
        same = [item for item in opened if item.size == mine.size]
        if any(item.root != mine.root for item in same):
            what = f"its tree of {mine.size} leaves is another than the pack's: the log showed two histories"
            work.wrong("tampered", name, what)
        else:
            yield name, mine.size if same else None
