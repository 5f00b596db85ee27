"""The evidence store in SQL: envelopes, and one chain of leaves over them, written by one transaction at a time.

An append, in this order: the writers' turn is taken · the log is held against the head kept outside · leaf and
envelope are inserted, with the tile that they fill, and committed together · the head outside moves forward. A crash
in between leaves at worst a leaf that nobody was told of and a head that lags behind it; the next append of the same
statement mends both.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from aims_mlops.adapters import sql_questions as sql
from aims_mlops.adapters.head_file import BEFORE_FIRST, HeadFile
from aims_mlops.adapters.sql_connections import ASKED
from aims_mlops.adapters.sql_database import Database
from aims_mlops.adapters.sql_tables import BLOB, ENVELOPE, LEAF
from aims_mlops.adapters.sql_tree import SqlTree, fills_tile
from aims_mlops.errors import VerificationError
from aims_mlops.evidence.log import Head, Leaf, StoredLeaf, genesis
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.evidence.tombstone import KIND
from aims_mlops.model.digest import Digest
from aims_mlops.model.times import to_text
from aims_mlops.ports import Entry

_log = logging.getLogger(__name__)

_BATCH = 1000


class SqlEvidenceStore(SqlTree):
    """`ports.EvidenceStore` over a database. Signatures and payloads are not looked at: bytes in, bytes out."""

    enforces = False
    """A database decides nothing."""

    def __init__(self, database: Database) -> None:
        """Connect to nothing yet: the first write makes the tables, and a reader needs none."""
        super().__init__(database)
        self._before_append = select(*sql.BEFORE_APPEND.selected_columns, database.clock)
        self.head_was_pinned_now = False
        """Whether this object took the log's head for true because this host had never seen one."""

    def append(self, entry: Entry) -> StoredLeaf:
        """Store envelope and leaf, then move the outside head; a payload that has a leaf already gets that one.

        Raises `StoreError` where it cannot be written, and `VerificationError` where the log is not the one that
        the outside head has seen. Not checked: that the payload's digest is that of the envelope's payload.
        """
        with self._first(self._before_append, {"payload": str(entry.payload)}) as (connection, row):
            registry_id, last = self._said_id(row[0]), self._stored(row[1])
            head_file = self._head_file(registry_id)
            self._hold_to_head(connection, head_file, last, registry_id)
            stored = self._known(row[2], entry.payload)
            if stored is None:
                self._must_be_ours(row[3], entry)
                if last is None:
                    head_file.write(Head(BEFORE_FIRST, genesis(registry_id)))
                now = self._database.moment(row[4])
                stored = last = self._insert(connection, entry, last, registry_id, now=now, enclosed=row[3] is not None)
        assert last is not None
        head_file.advance(Head(last.leaf.seq, last.digest))
        return stored

    def leaves(self, start: int = 0) -> Iterator[bytes]:
        """Yield the leaves' bytes from `start` on, as they stand. Ask for `head()` before, since a log may grow."""
        seen = start - 1
        while True:
            rows = self._rows(sql.LEAVES_AFTER, seen=seen, batch=_BATCH)
            for seq, leaf in rows:
                yield bytes(leaf)
                seen = seq
            if len(rows) < _BATCH:
                return

    def leaves_at(self, places: Collection[int]) -> Mapping[int, bytes]:
        """Return the leaves' bytes at these places, as they stand; a place that is empty is left out."""
        if len(places) > 1 and max(places) - min(places) + 1 == len(set(places)):  # the right edge of the tree
            rows = self._rows(sql.LEAVES_FROM, first=min(places), last=max(places))
            return {seq: bytes(leaf) for seq, leaf in rows}
        return {seq: bytes(leaf) for seq, leaf in self._asked(sql.LEAVES_AT, list(places))}

    def held(
        self, places: Collection[int], payloads: Collection[Digest]
    ) -> tuple[Mapping[int, bytes], Mapping[str, Digest]]:
        """Return what `leaves_at` and `envelope_digests` do, in one question for as many as one question names."""
        leaves: dict[int, bytes] = {}
        envelopes: dict[str, Digest] = {}
        seqs, digests = list(places), [str(item) for item in payloads]
        with self._reading() as connection:
            for start in range(0, max(len(seqs), len(digests)) if connection is not None else 0, ASKED):
                assert connection is not None
                asked = {"places": seqs[start : start + ASKED], "payloads": digests[start : start + ASKED]}
                for payload, seq, content in connection.execute(sql.HELD, asked):
                    if payload is None:
                        leaves[seq] = bytes(content)
                    else:
                        envelopes[payload] = Digest.of(bytes(content))
        return leaves, envelopes

    def head(self) -> Head | None:
        """Return the head kept outside the database; None where none is.

        On a server's database, a host that has never seen the log pins the present head, and says so in a warning.
        Raises `VerificationError` for a head file that is damaged.
        """
        with self._reading() as connection:
            row = None if connection is None else connection.execute(sql.NOW).one()
            registry_id, last = ("", None) if row is None else (self._said_id(row[0]), row[1])
        if connection is None and self._database.trusts_first_use:
            return None
        kept = self._head_file(registry_id).read()
        if kept is None and last is not None and self._database.trusts_first_use:
            kept = self._trust_first_use(self._stored(last))
            self._head_file(registry_id).advance(kept)
        return None if kept is None or kept.seq == BEFORE_FIRST else kept

    def pin(self, head: Head) -> None:
        """Write the outside head anew. Only for an operator who has looked: it forgets what was seen before."""
        self._head_file(self.registry_id()).write(head)

    def envelope(self, payload: Digest) -> bytes | None:
        """Return an envelope's bytes by the digest of its payload, as they stand; None where there is none."""
        return next((bytes(row[0]) for row in self._rows(sql.ENVELOPE_OF, asked=str(payload))), None)

    def envelope_digests(self, payloads: Collection[Digest] | None = None) -> Mapping[str, Digest]:
        """Return the digests of envelopes' bytes as they stand, by the payload that each is filed under.

        Of these payloads, or of all that there are; what is not there is left out.
        """
        found: dict[str, Digest] = {}
        last = ""
        if payloads is not None:
            asked = self._asked(sql.ENVELOPES_OF, [str(item) for item in payloads])
            return {payload: Digest.of(bytes(held)) for payload, held in asked}
        query = select(ENVELOPE.c.payload, sql.ENVELOPE_BYTES).order_by(ENVELOPE.c.payload)
        while True:
            rows = self._rows(query.where(ENVELOPE.c.payload > last).limit(_BATCH))
            for payload, envelope in rows:
                found[payload], last = Digest.of(bytes(envelope)), payload
            if len(rows) < _BATCH:
                return found

    def find(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        system: str | None = None,
        newest: int | None = None,
    ) -> Sequence[Digest]:
        """Return payload digests by the look-up columns, oldest first; only so many of the newest where it is said.

        A view: nothing decides from it.
        """
        query = select(LEAF.c.payload).order_by(LEAF.c.seq.desc()).limit(newest)
        for column, value in ((LEAF.c.model, model), (LEAF.c.version, version), (LEAF.c.system, system)):
            if value is not None:
                query = query.where(column == value)
        return tuple(self._digest(row[0]) for row in reversed(self._rows(query)))

    def versions(self) -> Collection[tuple[str, str]]:
        """Return model and number of every version that a statement is about, by the look-up columns. A view too."""
        query = select(LEAF.c.model, LEAF.c.version).distinct()
        rows = self._rows(query.where(LEAF.c.model.is_not(None), LEAF.c.version.is_not(None)))
        return tuple((str(model), str(version)) for model, version in rows)

    def put_blob(self, content: bytes) -> Digest:
        """Keep bytes by their digest; the same bytes again change nothing. Raises `StoreError`."""
        digest = Digest.of(content)
        if self.blob(digest) is not None:  # nobody's turn to write is taken for what is there
            return digest
        with self._writing() as connection:
            kept = self._blob(connection, digest)
            if kept is None:
                connection.execute(insert(BLOB).values(digest=str(digest), content=content))
        return digest

    def blob(self, digest: Digest) -> bytes | None:
        """Return the bytes with this digest, None where there are none; `VerificationError` where they were changed."""
        with self._reading() as connection:
            return None if connection is None else self._blob(connection, digest)

    def erase(self, payload: Digest, *, tombstone: Digest, blobs: Collection[Digest] = ()) -> bool:
        """Delete an envelope and texts for good; return whether any of it was there. The leaf stays.

        Raises `VerificationError` where the log has no tombstone of this digest for exactly this statement, and
        `StoreError` where this role may not delete. Not checked: who signed the tombstone.
        """
        with self._writing() as connection:
            said = self._stored(connection.execute(sql.LEAF_OF, {"asked": str(tombstone)}).scalar())
            if said is None or (said.leaf.type, said.leaf.subject) != (predicate_type(KIND), payload):
                raise VerificationError(f"{self.place}: no tombstone {tombstone.short} speaks of {payload.short}")
            self._database.before_erasing(connection)
            gone = connection.execute(sql.NO_ENVELOPE, {"asked": str(payload)}).rowcount
            gone += sum(connection.execute(sql.NO_BLOB, {"asked": str(digest)}).rowcount for digest in blobs)
        with self._explained():
            self._database.after_erasing()
        return gone > 0

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that other processes respect; `StoreError` when it cannot be had within 30 s. Not re-entrant."""
        return self._database.lock(name)

    def _stored(self, content: Any) -> StoredLeaf | None:
        if content is None:
            return None
        try:
            return StoredLeaf.from_bytes(bytes(content))
        except VerificationError as error:
            raise self._broken(str(error)) from error

    def _known(self, content: Any, payload: Digest) -> StoredLeaf | None:
        known = self._stored(content)
        if known is not None and known.leaf.payload != payload:
            raise self._broken(f"leaf {known.leaf.seq} is filed under the payload of another statement")
        return known

    def _must_be_ours(self, kept: Any, entry: Entry) -> None:
        if kept is not None and bytes(kept) != entry.envelope:
            raise self._broken(f"another envelope lies where that of {entry.payload} belongs, and no leaf speaks of it")

    def _insert(
        self,
        connection: Connection,
        entry: Entry,
        last: StoredLeaf | None,
        registry_id: str,
        *,
        now: datetime,
        enclosed: bool,
    ) -> StoredLeaf:
        """Write a leaf, its envelope where that is not there, and the tile that it fills; commit."""
        stored = _following(entry, last, registry_id, now)
        size = stored.leaf.seq + 1
        row = {"seq": stored.leaf.seq, "leaf": stored.leaf.to_bytes(), "digest": str(stored.digest)}
        row |= {"payload": str(entry.payload), "type": entry.type, "subject": str(entry.subject)}
        row |= {"model": entry.model, "version": entry.version, "system": entry.system}
        with self._database.sending(connection):
            connection.execute(sql.NEW_LEAF, row)
            if not enclosed:
                connection.execute(sql.NEW_ENVELOPE, {"payload": str(entry.payload), "envelope": entry.envelope})
            # A trigger or a rule can swallow a row without an error: such an append is not committed.
            asked = {"place": stored.leaf.seq, "digest": row["digest"], "leaf": row["leaf"], "payload": row["payload"]}
            self._database.demand(connection, sql.WRITTEN, asked)
            if not fills_tile(size):
                connection.commit()
        if fills_tile(size):
            self._keep_tiles(connection, size=size)
            connection.commit()
        return stored

    def _hold_to_head(
        self, connection: Connection, head_file: HeadFile, last: StoredLeaf | None, registry_id: str
    ) -> None:
        """Refuse a log that is not the one which the head kept outside has seen (rule 3 of `evidence.log`)."""
        kept = head_file.read()
        if kept is None:
            if last is not None and not self._database.trusts_first_use:
                raise self._broken(f"the log has leaves, but its head {head_file.path.name} is gone")
            if last is not None:
                self._trust_first_use(last)
            return
        if kept.seq == BEFORE_FIRST:
            if last is not None and kept.digest != genesis(registry_id):
                raise self._broken("another registry's log lies in the place of this one")
            return
        if last is None or last.leaf.seq < kept.seq:
            end = "has no leaf" if last is None else f"ends at leaf {last.leaf.seq}"
            said = f"the log {end}, but leaf {kept.seq} was seen before"
            raise self._broken(f"{said}: its tail is cut off, or this is an old copy")
        at_head: StoredLeaf | None = last
        if last.leaf.seq != kept.seq:
            at_head = self._stored(connection.execute(sql.LEAF_AT, {"place": kept.seq}).scalar())
        if at_head is None or at_head.digest != kept.digest:
            raise self._broken(f"leaf {kept.seq} is not the leaf that was seen there before")

    def _trust_first_use(self, last: StoredLeaf | None) -> Head:
        assert last is not None
        self.head_was_pinned_now = True
        _log.warning(
            "%s: this host sees the log for the first time and takes leaf %d for its true end; "
            "what was cut off before cannot be seen from here",
            self.place,
            last.leaf.seq,
        )
        return Head(last.leaf.seq, last.digest)

    def _blob(self, connection: Connection, digest: Digest) -> bytes | None:
        kept = connection.execute(sql.BLOB_OF, {"asked": str(digest)}).scalar()
        if kept is not None and Digest.of(bytes(kept)) != digest:
            raise self._broken(f"the stored text {digest} was changed: it is now {Digest.of(bytes(kept))}")
        return None if kept is None else bytes(kept)

    def _digest(self, value: str) -> Digest:
        try:
            return Digest(value)
        except (TypeError, ValueError) as error:
            raise self._broken(f"the column payload of a leaf was changed ({error})") from error


def _following(entry: Entry, last: StoredLeaf | None, registry_id: str, now: datetime) -> StoredLeaf:
    leaf = Leaf(
        seq=0 if last is None else last.leaf.seq + 1,
        prev=genesis(registry_id) if last is None else last.digest,
        type=entry.type,
        payload=entry.payload,
        envelope=Digest.of(entry.envelope),
        subject=entry.subject,
        captured_at=to_text(now),
    )
    return StoredLeaf.from_bytes(leaf.to_bytes())
