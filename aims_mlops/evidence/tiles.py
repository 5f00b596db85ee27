"""Tiles of the Merkle tree (C2SP tlog-tiles): 256 hashes side by side, eight levels of the tree at a time.

A tile of level 0 has the hashes of 256 leaves, one of level L the roots of 256 full tiles of the level below. Full
tiles never change. What stands right of the last full tile is made from the leaves and roots that are there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.merkle import HASH_BYTES, Place, leaf_hash, node_hash

HEIGHT = 8
"""Levels of the tree that a tile stands for."""

WIDTH = 1 << HEIGHT
"""Hashes of a full tile."""


def full_tiles(level: int, size: int) -> int:
    """Return how many full tiles of a level a tree of this size has."""
    return size >> (HEIGHT * (level + 1))


def top(hashes: bytes) -> bytes:
    """Return the root of hashes that stand side by side, as many as a power of two."""
    row = [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


class TileSource(Protocol):
    """What is read of a store here. Every `ports.EvidenceStore` is one."""

    def tiles(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the hashes of those of these full tiles that are kept."""
        ...

    def tile_roots(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the roots of those of these full tiles that are kept."""
        ...

    def leaves_at(self, places: Collection[int]) -> Mapping[int, bytes]:
        """Return the leaves' bytes at these places."""
        ...


class TiledTree:
    """A tree that is read from tiles, and from leaves where no tile is kept. Implements `merkle.Subtrees`.

    Nothing here is believed: what is made of it is held to a root that somebody signed.
    """

    def __init__(self, source: TileSource) -> None:
        """Read nothing yet."""
        self._source = source

    def subtrees(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the hashes of these subtrees, with three questions where all full tiles are kept."""
        spans = {place: _span(place) for place in places}
        homes = {place: (level, start // WIDTH) for place, (level, start, _) in spans.items()}
        tiles = self._source.tiles(sorted(set(homes.values())))
        rest = {place: span for place, span in spans.items() if homes[place] not in tiles}
        below = [
            (level - 1, number) for level, start, end in rest.values() for number in range(start, end) if level > 0
        ]
        roots = dict(self._source.tile_roots(sorted(set(below))) if below else {})
        numbers = [number for level, start, end in rest.values() for number in range(start, end) if level == 0]
        leaves = self._leaves(sorted(set(numbers)))
        found = {}
        for place, (level, start, end) in spans.items():
            if homes[place] in tiles:
                first = start % WIDTH * HASH_BYTES
                hashes = tiles[homes[place]][first : first + (end - start) * HASH_BYTES]
            elif level == 0:
                hashes = b"".join(leaves[number] for number in range(start, end))
            else:
                hashes = b"".join(self._root(level - 1, number, roots) for number in range(start, end))
            if len(hashes) != (end - start) * HASH_BYTES:
                raise VerificationError(f"the tile {homes[place][1]} of level {level} has another length")
            found[place] = top(hashes)
        return found

    def _root(self, level: int, number: int, known: dict[Place, bytes]) -> bytes:
        """Return the root of a full tile that is perhaps not kept: then it is made from what is below."""
        if (level, number) not in known:
            start, end = number * WIDTH, (number + 1) * WIDTH
            if level == 0:
                hashes = b"".join(self._leaves(range(start, end)).values())
            else:
                known.update(self._source.tile_roots([(level - 1, below) for below in range(start, end)]))
                hashes = b"".join(self._root(level - 1, below, known) for below in range(start, end))
            known[level, number] = top(hashes)
        return known[level, number]

    def _leaves(self, numbers: Collection[int]) -> dict[int, bytes]:
        there = self._source.leaves_at(numbers) if numbers else {}
        if gone := [number for number in numbers if number not in there]:
            raise VerificationError(f"leaf {gone[0]} is gone: nothing can be proved across it")
        return {number: leaf_hash(there[number]) for number in numbers}


def _span(place: Place) -> tuple[int, int, int]:
    """Return the tile level of a subtree, and which of that level's hashes it stands over."""
    level, number = place
    within = level % HEIGHT
    return level // HEIGHT, number << within, (number + 1) << within
