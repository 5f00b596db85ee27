"""The tables of the evidence store, the same on every database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text

SCHEMA_VERSION = "1"
"""Kept in `aims_meta`; a store with a later one is not touched.

A table that an older aims-mlops can do without, as a view can be, came with no new number: it is made when it is first
needed, and whoever does not know it goes on as before.
"""

METADATA = MetaData()

META = Table("aims_meta", METADATA, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

LEAF = Table(
    "aims_leaf",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    # What follows is for looking up only. What the log says is in the leaf's bytes.
    Column("digest", Text, nullable=False),
    Column("payload", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("model", Text),
    Column("version", Text),
    Column("system", Text),
    Index("aims_leaf_model", "model", "version"),
    Index("aims_leaf_type", "type"),
    Index("aims_leaf_subject", "subject"),
    Index("aims_leaf_system", "system"),
)

ENVELOPE = Table(
    "aims_envelope",
    METADATA,
    Column("payload", Text, primary_key=True),
    Column("envelope", LargeBinary, nullable=False),
)

BLOB = Table(
    "aims_blob", METADATA, Column("digest", Text, primary_key=True), Column("content", LargeBinary, nullable=False)
)

TILE = Table(
    "aims_tile",
    METADATA,
    Column("level", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
)
"""Full tiles of the Merkle tree (C2SP tlog-tiles) and their roots. A view: the leaves make it anew."""

CHECKPOINT = Table(
    "aims_checkpoint",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", LargeBinary, nullable=False),
)
"""Signed checkpoints; one that was cosigned later stands there once more."""

TIMESTAMP = Table(
    "aims_timestamp",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("checkpoint", Text, nullable=False),
    Column("stamp", LargeBinary, nullable=False),
)
"""RFC 3161 time stamps over the signed text of checkpoints, each with the digest of that text."""
