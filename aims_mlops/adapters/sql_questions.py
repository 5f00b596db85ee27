"""What the evidence store asks and writes again and again, put into words once.

Every byte column is cast: SQLite gives back whatever was put there, and text in place of bytes is for the walk to
report.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    LargeBinary,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    insert,
    null,
    select,
    union_all,
)

from aims_mlops.adapters.sql_tables import BLOB, ENVELOPE, LEAF, META, TILE

LEAF_BYTES = cast(LEAF.c.leaf, LargeBinary)
ENVELOPE_BYTES = cast(ENVELOPE.c.envelope, LargeBinary)
REGISTRY_ID = select(META.c.value).where(META.c.key == "registry_id")
LAST = select(LEAF_BYTES).order_by(LEAF.c.seq.desc()).limit(1)
NOW = select(REGISTRY_ID.scalar_subquery(), LAST.scalar_subquery())
BEFORE_APPEND = select(
    *NOW.selected_columns,
    select(LEAF_BYTES).where(LEAF.c.payload == bindparam("payload")).scalar_subquery(),
    select(ENVELOPE_BYTES).where(ENVELOPE.c.payload == bindparam("payload")).scalar_subquery(),
)
"""All that an append has to know, in one question: each costs a server's round trip while the others wait."""
NEW_LEAF, NEW_ENVELOPE = insert(LEAF), insert(ENVELOPE)
WRITTEN = select(
    case(
        (
            and_(
                select(LEAF.c.seq)
                .where(LEAF.c.seq == bindparam("place"), LEAF.c.digest == bindparam("digest"))
                .where(LEAF.c.payload == bindparam("payload"), bindparam("leaf", type_=LargeBinary) == LEAF_BYTES)
                .exists(),
                select(ENVELOPE.c.payload).where(ENVELOPE.c.payload == bindparam("payload")).exists(),
            ),
            1,
        ),
        else_=0,
    )
)
"""1 where a leaf stands at its place as it was written, and an envelope beside it; else 0."""
ENVELOPE_OF = select(ENVELOPE_BYTES).where(ENVELOPE.c.payload == bindparam("asked"))
ENVELOPES_OF = select(ENVELOPE.c.payload, ENVELOPE_BYTES).where(
    ENVELOPE.c.payload.in_(bindparam("asked", expanding=True))
)
LEAVES_AFTER = select(LEAF.c.seq, LEAF_BYTES).where(LEAF.c.seq > bindparam("seen")).order_by(LEAF.c.seq)
LEAVES_AFTER = LEAVES_AFTER.limit(bindparam("batch"))
LEAVES_AT = select(LEAF.c.seq, LEAF_BYTES).where(LEAF.c.seq.in_(bindparam("asked", expanding=True)))
LEAF_AT = select(LEAF_BYTES).where(LEAF.c.seq == bindparam("place"))
LEAVES_FROM = select(LEAF.c.seq, LEAF_BYTES).where(LEAF.c.seq.between(bindparam("first"), bindparam("last")))
BLOB_OF = select(cast(BLOB.c.content, LargeBinary)).where(BLOB.c.digest == bindparam("asked"))
HELD = union_all(
    select(cast(null(), Text), LEAF.c.seq, LEAF_BYTES).where(LEAF.c.seq.in_(bindparam("places", expanding=True))),
    select(ENVELOPE.c.payload, null(), ENVELOPE_BYTES).where(
        ENVELOPE.c.payload.in_(bindparam("payloads", expanding=True))
    ),
)
"""Leaves by their place and envelopes by their payload, in one question: the other's column is null."""
LEAF_OF = select(LEAF_BYTES).where(LEAF.c.payload == bindparam("asked"))
NO_ENVELOPE = delete(ENVELOPE).where(ENVELOPE.c.payload == bindparam("asked"))
NO_BLOB = delete(BLOB).where(BLOB.c.digest == bindparam("asked"))


def _of_tiles(column: Column[bytes]) -> Select[Any]:
    asked = TILE.c.number.in_(bindparam("asked", expanding=True))
    return select(TILE.c.number, cast(column, LargeBinary)).where(TILE.c.level == bindparam("level"), asked)


TILES_OF, TILE_ROOTS_OF = _of_tiles(TILE.c.hashes), _of_tiles(TILE.c.root)
