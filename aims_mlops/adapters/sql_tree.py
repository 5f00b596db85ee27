"""Tiles and checkpoints of the log in SQL, and the last checkpoint outside. Rows are only ever added.

Tiles are kept when they are full, in the transaction of the leaf that fills them: until then the leaves themselves say
the same. So an append costs what it did, and a role that may only SELECT and INSERT suffices. A store that was made
before there were tiles, or that lost some, gets what is missing when the next tile is full.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, Select, Table, cast, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from aims_mlops.adapters import sql_questions as sql
from aims_mlops.adapters.checkpoint_file import CheckpointFile
from aims_mlops.adapters.sql_connections import SqlConnections
from aims_mlops.adapters.sql_tables import CHECKPOINT, LEAF, METADATA, TILE
from aims_mlops.errors import StoreError
from aims_mlops.evidence.merkle import Place, leaf_hash
from aims_mlops.evidence.tiles import WIDTH, full_tiles, top
from aims_mlops.model.digest import Digest

_log = logging.getLogger(__name__)

_RANGE = 500
"""How many numbers one question names."""


class SqlTree(SqlConnections):
    """The part of the store that proofs and checkpoints need."""

    _tiles_seen = False

    def tiles(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the hashes of those of these full tiles that are kept, as they stand."""
        return self._of_tiles(sql.TILES_OF, places)

    def tile_roots(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the roots of those of these full tiles that are kept, as they stand."""
        return self._of_tiles(sql.TILE_ROOTS_OF, places)

    def tile_places(self) -> Collection[Place]:
        """Return which full tiles are kept."""
        with self._reading() as connection:
            if connection is None or not self._has(connection, TILE):
                return ()
            return [(level, number) for level, number in connection.execute(select(TILE.c.level, TILE.c.number))]

    def checkpoints(self) -> Sequence[bytes]:
        """Return the kept checkpoints as they stand, smallest first; what is said of their size is not looked at."""
        with self._reading() as connection:
            if connection is None or not self._has(connection, CHECKPOINT):
                return ()
            query = select(cast(CHECKPOINT.c.note, LargeBinary)).order_by(CHECKPOINT.c.size, CHECKPOINT.c.digest)
            return [bytes(note) for (note,) in connection.execute(query)]

    def keep_checkpoint(self, note: bytes, *, size: int) -> None:
        """Keep a checkpoint beside the others; the same bytes again change nothing. Raises `StoreError`."""
        digest = str(Digest.of(note))
        with self._writing() as connection:
            if not self._has(connection, CHECKPOINT) and not self._add(connection, CHECKPOINT):
                raise StoreError(
                    f"{self.place} has no table {CHECKPOINT.name}, and this role may not make it",
                    hint="let the role that made the other tables append once, or run `aims log checkpoint` as it",
                )
            if connection.execute(select(CHECKPOINT.c.size).where(CHECKPOINT.c.digest == digest)).first() is None:
                connection.execute(insert(CHECKPOINT).values(digest=digest, size=size, note=note))

    def last_checkpoint(self) -> bytes | None:
        """Return the checkpoint kept outside the database; None where none ever was.

        Raises `VerificationError` for a file that is damaged.
        """
        return self._checkpoint_file().read()

    def pin_checkpoint(self, note: bytes) -> None:
        """Keep exactly this checkpoint outside the database. Whoever calls it has compared it with the one before."""
        self._checkpoint_file().write(note)

    def registry_id(self) -> str:
        """Return the registry's UUID; makes the store where there is none. Raises `StoreError`.

        Read once, since it never changes: `head` and `append` refuse a store that says another one later.
        """
        if self._id_seen is not None and self._tables_seen and self._database.there():
            return self._id_seen
        with self._reading() as connection:
            if connection is not None:
                return self._registry_id(connection)
        with self._writing() as connection:
            return self._registry_id(connection)

    def _checkpoint_file(self) -> CheckpointFile:
        head: Path = self._database.head_path(self.registry_id())
        return CheckpointFile(head.with_suffix(".checkpoint"))

    def _of_tiles(self, question: Select[Any], places: Collection[Place]) -> Mapping[Place, bytes]:
        found: dict[Place, bytes] = {}
        with self._reading() as connection:
            if connection is None or not self._has_tiles(connection):
                return found
            for level in sorted({level for level, _ in places}):
                numbers = sorted({number for at, number in places if at == level})
                for start in range(0, len(numbers), _RANGE):
                    rows = connection.execute(question, {"level": level, "asked": numbers[start : start + _RANGE]})
                    found |= {(level, number): bytes(content) for number, content in rows}
        return found

    def _has_tiles(self, connection: Connection) -> bool:
        # A proof asks some times for tiles, and the table that was there stays: then only the tiles are asked for.
        self._tiles_seen = self._tiles_seen or self._has(connection, TILE)
        return self._tiles_seen

    def _keep_tiles(self, connection: Connection, *, size: int) -> None:
        """Keep every full tile that is not kept yet; for when the newest leaf has just filled one."""
        if not (self._has(connection, TILE) or self._add(connection, TILE)):
            return
        level = 0
        while count := full_tiles(level, size):
            kept = connection.execute(select(func.count()).where(TILE.c.level == level)).scalar_one()
            if kept < count:
                self._fill(connection, level, count)
            level += 1

    def _fill(self, connection: Connection, level: int, count: int) -> None:
        kept = set(connection.execute(select(TILE.c.number).where(TILE.c.level == level)).scalars())
        for number in range(count):
            if number in kept:
                continue
            hashes = list(self._hashes(connection, level, number))
            if len(hashes) != WIDTH:  # a hole, which a walk reports: no tile hides it
                return
            row = {"level": level, "number": number, "hashes": b"".join(hashes), "root": top(b"".join(hashes))}
            connection.execute(insert(TILE), row)

    def _hashes(self, connection: Connection, level: int, number: int) -> Iterable[bytes]:
        first, after = number * WIDTH, (number + 1) * WIDTH
        if level == 0:
            leaves = select(sql.LEAF_BYTES).where(LEAF.c.seq >= first, LEAF.c.seq < after).order_by(LEAF.c.seq)
            return (leaf_hash(bytes(leaf)) for (leaf,) in connection.execute(leaves))
        roots = select(cast(TILE.c.root, LargeBinary)).where(
            TILE.c.level == level - 1, TILE.c.number >= first, TILE.c.number < after
        )
        return (bytes(found) for (found,) in connection.execute(roots.order_by(TILE.c.number)))

    def _add(self, connection: Connection, table: Table) -> bool:
        """Make a table that this store was made without; say so where this role may not, and go on without."""
        try:
            with connection.begin_nested():
                METADATA.create_all(connection, tables=[table])
        except SQLAlchemyError as error:
            why = self._database.explain(error)
            _log.warning("%s: the table %s cannot be made: %s", self.place, table.name, why)
            return False
        return True


def fills_tile(size: int) -> bool:
    """Whether the last leaf of a log of this size is the last of a tile."""
    return size % WIDTH == 0
