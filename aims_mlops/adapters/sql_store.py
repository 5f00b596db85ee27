"""The evidence store in SQL: envelopes, and one chain of leaves over them, written by one transaction at a time.

An append, in this order: the writers' turn is taken · the log is held against the head kept outside · leaf and
envelope are inserted and committed together · the head outside moves forward. A crash in between leaves at worst a
leaf that nobody was told of and a head that lags behind it; the next append of the same statement mends both.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Connection, LargeBinary, Select, cast, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from aims_mlops.adapters.head_file import BEFORE_FIRST, HeadFile
from aims_mlops.adapters.sql_database import WRITES, Database
from aims_mlops.adapters.sql_tables import BLOB, ENVELOPE, LEAF, META, METADATA, SCHEMA_VERSION
from aims_mlops.errors import StoreError, VerificationError
from aims_mlops.evidence.log import Head, Leaf, StoredLeaf, genesis
from aims_mlops.model.digest import Digest
from aims_mlops.model.times import to_text
from aims_mlops.ports import Entry

_log = logging.getLogger(__name__)

_BATCH = 1000
_LOOK = (
    "`aims evidence verify` tells what is missing or changed; put the newest copy back: nothing is appended until then"
)


class SqlEvidenceStore:
    """`ports.EvidenceStore` over a database. Signatures and payloads are not looked at: bytes in, bytes out."""

    def __init__(self, database: Database) -> None:
        """Connect to nothing yet: the first write makes the tables, and a reader needs none."""
        self._database = database
        self._tables_seen = False
        self.head_was_pinned_now = False
        """Whether this object took the log's head for true because this host had never seen one."""

    @property
    def place(self) -> str:
        """Where it is, for people; without password."""
        return self._database.place

    def registry_id(self) -> str:
        """Return the registry's UUID; makes the store where there is none. Raises `StoreError`."""
        with self._reading() as connection:
            if connection is not None:
                return self._registry_id(connection)
        with self._writing() as connection:
            return self._registry_id(connection)

    def append(self, entry: Entry) -> StoredLeaf:
        """Store envelope and leaf, then move the outside head; a payload that has a leaf already gets that one.

        Raises `StoreError` where it cannot be written, and `VerificationError` where the log is not the one that
        the outside head has seen. Not checked: that the payload's digest is that of the envelope's payload.
        """
        with self._writing() as connection:
            registry_id = self._registry_id(connection)
            head_file = self._head_file(registry_id)
            last = self._last(connection)
            self._hold_to_head(connection, head_file, last, registry_id)
            stored = self._known(connection, entry.payload)
            if stored is None:
                if last is None:
                    head_file.write(Head(BEFORE_FIRST, genesis(registry_id)))
                stored = last = self._insert(connection, entry, last, registry_id)
        assert last is not None
        head_file.advance(Head(last.leaf.seq, last.digest))
        return stored

    def leaves(self, start: int = 0) -> Iterator[bytes]:
        """Yield the leaves' bytes from `start` on, as they stand. Ask for `head()` before, since a log may grow."""
        seen = start - 1
        # The cast reads whatever SQL may have put there: text in place of bytes is for `walk` to report.
        query = select(LEAF.c.seq, cast(LEAF.c.leaf, LargeBinary)).order_by(LEAF.c.seq).limit(_BATCH)
        while True:
            rows = self._rows(query.where(LEAF.c.seq > seen))
            for seq, leaf in rows:
                yield bytes(leaf)
                seen = seq
            if len(rows) < _BATCH:
                return

    def head(self) -> Head | None:
        """Return the head kept outside the database; None where none is.

        On a server's database, a host that has never seen the log pins the present head, and says so in a warning.
        Raises `VerificationError` for a head file that is damaged.
        """
        with self._reading() as connection:
            registry_id = "" if connection is None else self._registry_id(connection)
            last = None if connection is None else self._last(connection)
        if connection is None and self._database.trusts_first_use:
            return None
        kept = self._head_file(registry_id).read()
        if kept is None and last is not None and self._database.trusts_first_use:
            kept = self._trust_first_use(last)
            self._head_file(registry_id).advance(kept)
        return None if kept is None or kept.seq == BEFORE_FIRST else kept

    def pin(self, head: Head) -> None:
        """Write the outside head anew. Only for an operator who has looked: it forgets what was seen before."""
        self._head_file(self.registry_id()).write(head)

    def envelope(self, payload: Digest) -> bytes | None:
        """Return an envelope's bytes by the digest of its payload, as they stand; None where there is none."""
        query = select(cast(ENVELOPE.c.envelope, LargeBinary)).where(ENVELOPE.c.payload == str(payload))
        return next((bytes(row[0]) for row in self._rows(query)), None)

    def envelope_digests(self) -> Mapping[str, Digest]:
        """Return the digest of every envelope's bytes as they stand, by the payload digest it is filed under."""
        found: dict[str, Digest] = {}
        last = ""
        query = select(ENVELOPE.c.payload, cast(ENVELOPE.c.envelope, LargeBinary)).order_by(ENVELOPE.c.payload)
        while True:
            rows = self._rows(query.where(ENVELOPE.c.payload > last).limit(_BATCH))
            for payload, envelope in rows:
                found[payload], last = Digest.of(bytes(envelope)), payload
            if len(rows) < _BATCH:
                return found

    def find(
        self, *, model: str | None = None, version: str | None = None, system: str | None = None
    ) -> Sequence[Digest]:
        """Return payload digests by the look-up columns, oldest first. A view: nothing decides from it."""
        query = select(LEAF.c.payload).order_by(LEAF.c.seq)
        for column, value in ((LEAF.c.model, model), (LEAF.c.version, version), (LEAF.c.system, system)):
            if value is not None:
                query = query.where(column == value)
        return tuple(self._digest(row[0]) for row in self._rows(query))

    def put_blob(self, content: bytes) -> Digest:
        """Keep bytes by their digest; the same bytes again change nothing. Raises `StoreError`."""
        digest = Digest.of(content)
        with self._writing() as connection:
            kept = self._blob(connection, digest)
            if kept is None:
                connection.execute(insert(BLOB).values(digest=str(digest), content=content))
        return digest

    def blob(self, digest: Digest) -> bytes | None:
        """Return the bytes with this digest, None where there are none; `VerificationError` where they were changed."""
        with self._reading() as connection:
            return None if connection is None else self._blob(connection, digest)

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that other processes respect; `StoreError` when it cannot be had within 30 s. Not re-entrant."""
        return self._database.lock(name)

    def close(self) -> None:
        """Give the connections back. The store can be used again."""
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        """Give a connection, or None where the store was never made."""
        if not self._database.there():
            yield None
            return
        with self._explained(), self._database.engine.connect() as connection:
            yield connection if self._made(connection) else None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Give the one writing transaction, in a store that has its tables."""
        with self._explained():
            if not (self._tables_seen and self._database.there()):
                self._prepare()
            engine = self._database.engine.execution_options(**{WRITES: True})
            with engine.begin() as connection:
                self._database.serialise(connection)
                if not self._made(connection):
                    self._make(connection)
                yield connection

    def _prepare(self) -> None:
        self._tables_seen = False
        with self._reading() as connection:
            made = connection is not None
        if not made:
            self._database.prepare()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._database.explain(error) from error

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with self._reading() as connection:
            return () if connection is None else connection.execute(query).all()

    def _made(self, connection: Connection) -> bool:
        if self._tables_seen:
            return True
        if not inspect(connection).has_table(META.name):
            return False
        version = connection.execute(select(META.c.value).where(META.c.key == "schema")).scalar()
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{self.place} has tables of version {version}, and this aims-mlops knows version {SCHEMA_VERSION}",
                hint="pip install --upgrade aims-mlops",
            )
        self._tables_seen = True
        return True

    def _make(self, connection: Connection) -> None:
        registry_id = str(uuid.uuid4())
        kept = self._head_file(registry_id).read()
        if kept is not None and kept.seq != BEFORE_FIRST:
            raise self._broken(f"the log is gone, but leaf {kept.seq} of it was seen before")
        METADATA.create_all(connection)
        rows = [{"key": "registry_id", "value": registry_id}, {"key": "schema", "value": SCHEMA_VERSION}]
        connection.execute(insert(META), rows)

    def _registry_id(self, connection: Connection) -> str:
        value = connection.execute(select(META.c.value).where(META.c.key == "registry_id")).scalar()
        if value is None:
            raise self._broken("the registry's id is gone")
        return str(value)

    def _head_file(self, registry_id: str) -> HeadFile:
        return HeadFile(self._database.head_path(registry_id))

    def _leaf(self, connection: Connection, query: Select[Any]) -> StoredLeaf | None:
        row = connection.execute(query).first()
        if row is None:
            return None
        try:
            return StoredLeaf.from_bytes(bytes(row[0]))
        except VerificationError as error:
            raise self._broken(str(error)) from error

    def _last(self, connection: Connection) -> StoredLeaf | None:
        return self._leaf(connection, select(cast(LEAF.c.leaf, LargeBinary)).order_by(LEAF.c.seq.desc()).limit(1))

    def _known(self, connection: Connection, payload: Digest) -> StoredLeaf | None:
        known = self._leaf(connection, select(cast(LEAF.c.leaf, LargeBinary)).where(LEAF.c.payload == str(payload)))
        if known is not None and known.leaf.payload != payload:
            raise self._broken(f"leaf {known.leaf.seq} is filed under the payload of another statement")
        return known

    def _insert(self, connection: Connection, entry: Entry, last: StoredLeaf | None, registry_id: str) -> StoredLeaf:
        leaf = Leaf(
            seq=0 if last is None else last.leaf.seq + 1,
            prev=genesis(registry_id) if last is None else last.digest,
            type=entry.type,
            payload=entry.payload,
            envelope=Digest.of(entry.envelope),
            subject=entry.subject,
            captured_at=to_text(self._database.now(connection)),
        )
        content = leaf.to_bytes()
        stored = StoredLeaf.from_bytes(content)
        row = {"seq": leaf.seq, "leaf": content, "digest": str(stored.digest), "payload": str(entry.payload)}
        row |= {"type": entry.type, "subject": str(entry.subject), "model": entry.model}
        connection.execute(insert(LEAF).values(**row, version=entry.version, system=entry.system))
        self._insert_envelope(connection, entry)
        return stored

    def _insert_envelope(self, connection: Connection, entry: Entry) -> None:
        query = select(cast(ENVELOPE.c.envelope, LargeBinary)).where(ENVELOPE.c.payload == str(entry.payload))
        kept = connection.execute(query).scalar()
        if kept is None:
            connection.execute(insert(ENVELOPE).values(payload=str(entry.payload), envelope=entry.envelope))
        elif bytes(kept) != entry.envelope:
            raise self._broken(f"another envelope lies where that of {entry.payload} belongs, and no leaf speaks of it")

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
        query = select(cast(LEAF.c.leaf, LargeBinary)).where(LEAF.c.seq == kept.seq)
        at_head = last if last.leaf.seq == kept.seq else self._leaf(connection, query)
        if at_head is None or at_head.digest != kept.digest:
            raise self._broken(f"leaf {kept.seq} is not the leaf that was seen there before")

    def _trust_first_use(self, last: StoredLeaf) -> Head:
        self.head_was_pinned_now = True
        _log.warning(
            "%s: this host sees the log for the first time and takes leaf %d for its true end; "
            "what was cut off before cannot be seen from here",
            self.place,
            last.leaf.seq,
        )
        return Head(last.leaf.seq, last.digest)

    def _blob(self, connection: Connection, digest: Digest) -> bytes | None:
        query = select(cast(BLOB.c.content, LargeBinary)).where(BLOB.c.digest == str(digest))
        kept = connection.execute(query).scalar()
        if kept is not None and Digest.of(bytes(kept)) != digest:
            raise self._broken(f"the stored text {digest} was changed: it is now {Digest.of(bytes(kept))}")
        return None if kept is None else bytes(kept)

    def _digest(self, value: str) -> Digest:
        try:
            return Digest(value)
        except (TypeError, ValueError) as error:
            raise self._broken(f"the column payload of a leaf was changed ({error})") from error

    def _broken(self, what: str) -> VerificationError:
        return VerificationError(f"{self.place}: {what}", hint=_LOOK)
