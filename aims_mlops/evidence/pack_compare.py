"""Holds two packs of one system to each other: what both periods cover must be in both, and the log only grew."""

from __future__ import annotations

from dataclasses import dataclass

from aims_mlops.errors import ExitCode, worst_exit_code
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.pack import PackReport
from aims_mlops.evidence.pack_reading import PackTrouble
from aims_mlops.model.times import to_text


@dataclass(frozen=True, slots=True)
class PackComparison:
    """Two packs as they were verified, and what differs. `added` and `gone` are the leaves in one of the two only."""

    old: PackReport
    new: PackReport
    added: tuple[Leaf, ...]
    gone: tuple[Leaf, ...]
    both: int
    grew: bool | None
    """Whether a checkpoint of the old pack is among those of the new one; None where none can be compared."""
    troubles: tuple[PackTrouble, ...]

    @property
    def exit_code(self) -> ExitCode:
        """4 where the two contradict each other, or one does not verify; else the worse of the two."""
        own = [ExitCode.UNVERIFIED] if self.troubles else []
        return worst_exit_code([*own, self.old.exit_code, self.new.exit_code])


def compare_packs(old: PackReport, new: PackReport) -> PackComparison:
    """Compare two packs. What each of them says alone is in its own report."""
    troubles = list(_of_one_kind(old, new))
    added = tuple(leaf for seq, leaf in sorted(new.leaves.items()) if seq not in old.leaves)
    gone = tuple(leaf for seq, leaf in sorted(old.leaves.items()) if seq not in new.leaves)
    shared = sorted(set(old.leaves) & set(new.leaves))
    troubles += [
        PackTrouble("tampered", f"leaf {seq}", "the two packs have another leaf at this place: two histories")
        for seq in shared
        if old.leaves[seq] != new.leaves[seq]
    ]
    troubles += _left_out(added, old, "old", named=new)
    troubles += _left_out(gone, new, "new", named=old)
    grew, forked = _grew(old, new)
    troubles += forked
    return PackComparison(old, new, added, gone, len(shared), grew, tuple(troubles))


def _of_one_kind(old: PackReport, new: PackReport) -> list[PackTrouble]:
    if old.index is None or new.index is None or old.header is None or new.header is None:
        return [PackTrouble("tampered", "index.json", "one of the two has no index that reads: nothing was compared")]
    here, there = old.header.registry_id, new.header.registry_id
    if here != there or old.index.system != new.index.system:
        what = f"{old.index.system} of {here}, and {new.index.system} of {there}: two packs of different things"
        return [PackTrouble("mismatched", "index.json", what)]
    return []


def _left_out(only: tuple[Leaf, ...], other: PackReport, word: str, *, named: PackReport) -> list[PackTrouble]:
    """Name the leaves of the period that the other pack covers as well and does not have."""
    if other.index is None or named.index is None:
        return []
    start, end, listed = to_text(other.index.start), to_text(other.index.end), set(named.index.own)
    seen = other.index.log.seen
    return [
        PackTrouble("tampered", f"leaf {leaf.seq}", f"recorded at {leaf.captured_at}, and left out of the {word} pack")
        for leaf in only
        if leaf.seq in listed and leaf.seq < seen and start <= leaf.captured_at < end
    ]


def _grew(old: PackReport, new: PackReport) -> tuple[bool | None, list[PackTrouble]]:
    """Whether the new pack's checkpoints have one of the old pack's among them, and none that contradicts it."""
    mine, theirs = dict(old.checkpoints.roots), dict(new.checkpoints.roots)
    same = sorted(set(mine) & set(theirs))
    forks = [size for size in same if mine[size] != theirs[size]]
    if forks:
        what = f"the log signed two different trees of {forks[0]} leaves, one in each pack: two histories"
        return False, [PackTrouble("tampered", "checkpoints", what)]
    return (True if same else None), []
