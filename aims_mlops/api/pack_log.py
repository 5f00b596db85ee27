"""The log's part of a pack: leaves, checkpoints, proofs that one is in another, all as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aims_mlops.api.checkpointing import hold, tree_of
from aims_mlops.api.log_identity import Identity, identity, kept_checkpoints, merged
from aims_mlops.api.pack_choosing import Chosen
from aims_mlops.api.services import Services
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import SignedCheckpoint
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.merkle import Tree
from aims_mlops.evidence.pack_checkpoints import write_consistency
from aims_mlops.evidence.pack_index import LEAVES, checkpoint_file, consistency_file, proof_file


@dataclass(frozen=True)
class PackedLog:
    """The files, and the checkpoint that the proofs lead to: its size and root, None where there is no checkpoint."""

    files: Mapping[str, bytes]
    origin: str | None = None
    size: int = 0
    root: str | None = None
    witnesses: tuple[str, ...] = ()
    witnessed: bool = False


def packed_log(services: Services, chosen: Chosen, brought: Sequence[bytes]) -> PackedLog:
    """Return the files of the log. Raises `VerificationError` where the log is not the one that a checkpoint names."""
    leaves = {leaf.seq: leaf.to_bytes() for leaf in chosen.leaves}
    files = {LEAVES: b"".join(content + b"\n" for content in leaves.values())}
    if services.project.log is None:
        return PackedLog(files)
    who = identity(services)
    signed = merged([*kept_checkpoints(services, who), *(who.open(content) for content in brought)])
    if not signed:
        return PackedLog(files, who.origin)
    tree = tree_of(services, chosen.walked)
    for item in signed:
        hold(tree, item)
    files |= _checkpoints(tree, signed)
    last = max(chosen.leaves, key=lambda leaf: leaf.seq).seq
    best = _best(who, signed, last)
    for seq, content in leaves.items():
        if seq < best.size:
            hashes = merkle.prove_inclusion(tree, seq, best.size)
            files[proof_file(seq)] = LogProof(seq, tuple(hashes), best.note.to_bytes(), content).to_bytes()
    witnesses = best.witnesses(who.witnesses)
    return PackedLog(files, who.origin, best.size, best.root.hex(), witnesses, who.is_witnessed(best))


def _checkpoints(tree: Tree, signed: Sequence[SignedCheckpoint]) -> dict[str, bytes]:
    """Return each checkpoint, and the proof that the next one's tree begins with its own."""
    files: dict[str, bytes] = {}
    last = 0
    for item in signed:
        number = sum(name.startswith(checkpoint_file(item.size)[: -len(".note")]) for name in files)
        files[checkpoint_file(item.size, number=number)] = item.note.to_bytes()
        if last and last != item.size:
            files[consistency_file(last, item.size)] = write_consistency(
                merkle.prove_consistency(tree, last, item.size)
            )
        last = item.size
    return files


def _best(who: Identity, signed: Sequence[SignedCheckpoint], last: int) -> SignedCheckpoint:
    """Return the checkpoint to prove by: one that reaches all leaves, then one that was witnessed, then the newest."""
    return max(signed, key=lambda item: (item.size > last, who.is_witnessed(item), item.size))
