"""`aims log verify`: the log, its tiles and every checkpoint that anybody kept, held to each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aims_mlops.api.checkpointing import hold, tree_of
from aims_mlops.api.log_identity import Identity, identity, merged
from aims_mlops.api.looking import walk_log
from aims_mlops.api.services import Services
from aims_mlops.api.stamps import Stamp, stamps
from aims_mlops.api.troubles import Trouble
from aims_mlops.errors import ExitCode, VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import SignedCheckpoint
from aims_mlops.evidence.merkle import Tree
from aims_mlops.evidence.tiles import HEIGHT, WIDTH, full_tiles
from aims_mlops.evidence.tombstone import Erasure

STORE, OUTSIDE = "store", "outside"
"""Where checkpoints are kept; a file that somebody brings goes by its name."""

_BATCH = 64


@dataclass(frozen=True)
class CheckpointRow:
    """One kept checkpoint, where copies of it lie, and the trusted witnesses that cosigned it."""

    where: tuple[str, ...]
    size: int
    root: bytes
    witnesses: tuple[str, ...]
    witnessed: bool
    """Whether enough witnesses cosigned it."""
    holds: bool


@dataclass(frozen=True)
class LogVerification:
    """What `aims log verify` found."""

    origin: str
    keys: tuple[str, ...]
    size: int
    root: bytes
    tiles: int
    tiles_missing: int
    checkpoints: tuple[CheckpointRow, ...]
    quorum: int
    troubles: tuple[Trouble, ...]
    erased: tuple[Erasure, ...] = ()
    """Leaves whose statements were erased lawfully: the tree has them, and nothing of it changed."""
    stamps: tuple[Stamp, ...] = ()
    """Time stamps of checkpoints. They say when, and to nobody else which history: they witness nothing."""

    @property
    def stamped(self) -> int:
        """How many leaves from the first on existed at a time that a trusted authority says."""
        held = {(row.size, row.root) for row in self.checkpoints if row.holds}
        return max((item.size for item in self.stamps if item.at and (item.size, item.root) in held), default=0)

    @property
    def witnessed(self) -> int:
        """How many leaves from the first on a quorum of witnesses has seen."""
        return max((row.size for row in self.checkpoints if row.holds and row.witnessed), default=0)

    @property
    def compared(self) -> int:
        """How many leaves from the first on a checkpoint speaks for that somebody brought along."""
        brought = (row for row in self.checkpoints if row.holds and set(row.where) - {STORE, OUTSIDE})
        return max((row.size for row in brought), default=0)

    @property
    def unwitnessed(self) -> int:
        """How many leaves nobody outside has seen: whoever holds the log's key could still rewrite them."""
        return max(0, self.size - max(self.witnessed, self.compared))

    @property
    def exit_code(self) -> ExitCode:
        """0 only where all holds, and something outside the operator's hands says so of some leaves."""
        if self.troubles:
            return ExitCode.UNVERIFIED
        return ExitCode.OK if max(self.witnessed, self.compared) else ExitCode.NOTHING


def verify_checkpoints(services: Services, brought: Mapping[str, bytes] | None = None) -> LogVerification:
    """Walk the log, compute its root anew, and hold tiles and checkpoints to it; `brought` are an auditor's by name.

    Never raises for what it reads of the log; raises `UsageError` where aims.yaml does not say who the log is.
    """
    who = identity(services)
    walked = walk_log(services, whole=True)
    troubles = [
        Trouble(fault.kind, "head" if fault.seq is None else f"leaf {fault.seq}", fault.what) for fault in walked.faults
    ]
    tree = tree_of(services, walked)
    kept: dict[str, list[bytes]] = {STORE: list(services.store.checkpoints()), OUTSIDE: []}
    try:
        outside = services.store.last_checkpoint()
        kept[OUTSIDE] = [] if outside is None else [outside]
    except VerificationError as error:
        troubles.append(Trouble("tampered", OUTSIDE, str(error)))
    kept |= {name: [content] for name, content in (brought or {}).items()}
    if kept[STORE] and not kept[OUTSIDE] and not services.store.enforces:
        lost = "the store has checkpoints, and none is kept outside it on this host"
        troubles.append(Trouble("hole", OUTSIDE, lost))
    opened, bad = _open(who, kept)
    rows, broken = _rows(who, tree, opened)
    stamped = tuple(stamps(services, who))
    broken += [Trouble("unproved", f"time stamp of {s.size} leaves", s.problem) for s in stamped if s.at is None]
    return LogVerification(
        origin=who.origin,
        keys=tuple(map(str, who.keys)),
        size=tree.size,
        root=merkle.root(tree, tree.size),
        tiles=len(services.store.tile_places()),
        tiles_missing=_missing(services, tree),
        checkpoints=rows,
        quorum=who.quorum,
        troubles=(*troubles, *bad, *broken, *_tiles(services, tree)),
        erased=tuple(item for _, item in sorted(walked.excused.items())),
        stamps=stamped,
    )


def _open(who: Identity, kept: Mapping[str, list[bytes]]) -> tuple[dict[str, list[SignedCheckpoint]], list[Trouble]]:
    opened: dict[str, list[SignedCheckpoint]] = {}
    troubles = []
    for where, contents in kept.items():
        for content in contents:
            try:
                opened.setdefault(where, []).append(who.open(content))
            except VerificationError as error:
                word = "untrusted" if "not signed by a key" in str(error) else "tampered"
                troubles.append(Trouble(word, where, str(error)))
    return opened, troubles


def _rows(
    who: Identity, tree: Tree, opened: Mapping[str, list[SignedCheckpoint]]
) -> tuple[tuple[CheckpointRow, ...], list[Trouble]]:
    rows: list[CheckpointRow] = []
    troubles = []
    for item in merged([one for many in opened.values() for one in many]):
        where = tuple(name for name, many in opened.items() if item.note.text in {one.note.text for one in many})
        names, place = item.witnesses(who.witnesses), f"checkpoint of {item.size} ({', '.join(where)})"
        trouble = _compare(tree, item, place)
        if trouble is not None:
            troubles.append(trouble)
        if any(row.size == item.size and row.root != item.root for row in rows):
            forked = f"the log's key signed two different trees of {item.size} leaves: it showed two histories"
            troubles.append(Trouble("tampered", place, forked))
        rows.append(CheckpointRow(where, item.size, item.root, names, who.is_witnessed(item), holds=trouble is None))
    return tuple(rows), troubles


def _compare(tree: Tree, item: SignedCheckpoint, place: str) -> Trouble | None:
    try:
        hold(tree, item)
    except VerificationError as error:
        return Trouble("hole" if tree.size < item.size else "tampered", place, str(error))
    return None


def _missing(services: Services, tree: Tree) -> int:
    """Return how many full tiles are not kept: the next one that is filled brings them."""
    levels = range(tree.size.bit_length() // HEIGHT + 1)
    wanted = {(level, number) for level in levels for number in range(full_tiles(level, tree.size))}
    return len(wanted - set(services.store.tile_places()))


def _tiles(services: Services, tree: Tree) -> Iterator[Trouble]:
    places = sorted(services.store.tile_places())
    for start in range(0, len(places), _BATCH):
        some = places[start : start + _BATCH]
        hashes, roots = services.store.tiles(some), services.store.tile_roots(some)
        for level, number in some:
            if number >= full_tiles(level, tree.size):
                wrong = "it stands over leaves that are not there"
            else:
                below = [(level * HEIGHT, number * WIDTH + step) for step in range(WIDTH)]
                ours = b"".join(tree.subtrees(below)[place] for place in below)
                top = ((level + 1) * HEIGHT, number)
                same = hashes.get((level, number)) == ours
                same = same and roots.get((level, number)) == tree.subtrees([top])[top]
                wrong = "" if same else "its hashes are not those of the leaves"
            if wrong:
                yield Trouble("tampered", f"tile {level}/{number}", f"{wrong}; tiles are made anew where none is kept")
