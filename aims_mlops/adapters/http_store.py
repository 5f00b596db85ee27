"""The evidence store of a server, over HTTP(S): what clients write and read it through.

Nothing that the server says is believed. Its log is walked and its envelopes are opened here like any other's, and the
newest leaf that this client has seen is kept in a file at the client: a server that cuts its log, or puts another one
in its place, is seen by each client that remembers.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from aims_mlops.adapters.checkpoint_file import CheckpointFile
from aims_mlops.adapters.file_lock import explain_os_error, file_lock
from aims_mlops.adapters.head_file import BEFORE_FIRST, HeadFile
from aims_mlops.adapters.http_client import HttpClient, Login
from aims_mlops.errors import StoreError, UsageError, VerificationError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.log import Head, StoredLeaf
from aims_mlops.evidence.merkle import Place
from aims_mlops.model.digest import Digest
from aims_mlops.ports import Entry

_log = logging.getLogger(__name__)

LOCK_SECONDS = 30.0
"""How long a named lock of this machine is waited for."""

_LEAVES = 1000
_PLACES = 100
_ASKED = 1000
_LOOK = (
    "the server's log was cut, restored from an old copy or replaced: ask its administrator; `aims evidence verify` "
    "tells what is wrong, and `aims evidence verify --pin` takes the log as it is now"
)


class HttpEvidenceStore:
    """`ports.EvidenceStore` over a server that runs our application. Bytes in, bytes out.

    The server verifies what is handed in, and refuses what is not well signed or not about its registry: that is a
    `StoreError` with the server's words.
    """

    enforces = True
    """The server that keeps this store decides by itself: a decision that is taken here binds nobody."""

    def __init__(self, address: str, *, head_folder: Path, login: Login | None = None) -> None:
        """Connect to nothing yet. The head of the server's log is kept in `head_folder`."""
        self._http = HttpClient(address, login or Login())
        # By the address: a server that comes back with another registry must not begin anew unseen.
        name = re.sub(r"[^a-z0-9.]+", "-", self.place.lower())[:60]
        self._files = head_folder / f"{name}.{Digest.of(self.place.encode()).short}"
        self._head_file = HeadFile(self._files.with_name(self._files.name + ".head"))
        self._checkpoint_file = CheckpointFile(self._files.with_name(self._files.name + ".checkpoint"))
        self.head_was_pinned_now = False
        """Whether this object took the log's head for true because this client had never seen one."""

    @property
    def place(self) -> str:
        """The server's address; it holds no password."""
        return self._http.place

    def registry_id(self) -> str:
        """Return the registry's UUID as the server says it. Raises `StoreError`."""
        return str(self._said("/registry-id", "registryId", str))

    def append(self, entry: Entry) -> StoredLeaf:
        """Hand the envelope in, then move the head kept here; the leaf that comes back is held to the envelope.

        Raises `StoreError` where the server cannot be reached or does not take it, and `VerificationError` where its
        log is not the one that this client has seen, or the leaf is about something else.
        """
        self._hold_to_head()
        stored = self._stored(self._http.json("POST", "/statements", body=entry.envelope))
        leaf = stored.leaf
        if (leaf.payload, leaf.type, leaf.subject) != (entry.payload, entry.type, entry.subject):
            raise self._broken(f"the server answered with leaf {leaf.seq}, which is about another statement")
        if leaf.envelope != Digest.of(entry.envelope):
            raise self._broken(f"leaf {leaf.seq} holds another envelope of this statement than the one handed in")
        self._head_file.advance(Head(leaf.seq, stored.digest))
        return stored

    def reading(self) -> AbstractContextManager[None]:
        """Do nothing more: this thread's connection is kept anyway."""
        return nullcontext()

    def leaves(self, start: int = 0) -> Iterator[bytes]:
        """Yield the leaves' bytes from `start` on, as the server has them. Ask for `head()` before."""
        following: int | None = start
        while following is not None:
            asked = following
            page = self._http.json("GET", "/leaves", query={"start": asked, "limit": _LEAVES})
            yield from self._places(page, range(asked, asked + _LEAVES)).values()
            following = page.get("next")
            if following is not None and (type(following) is not int or following <= asked):
                raise self._strange(ValueError(f"after place {asked} comes place {following!r}"))

    def leaves_at(self, places: Collection[int]) -> Mapping[int, bytes]:
        """Return the leaves' bytes at these places, as the server has them; a place that is empty is left out."""
        found: dict[int, bytes] = {}
        wanted = list(places)
        for first in range(0, len(wanted), _PLACES):
            some = wanted[first : first + _PLACES]
            page = self._http.json("GET", "/leaves", query={"at": ",".join(map(str, some))})
            found |= self._places(page, some)
        return found

    def head(self) -> Head | None:
        """Return the head kept here; None where the server's log is empty.

        A client that has never seen the log pins the head that the server says, and says so in a warning. Raises
        `VerificationError` for a head file that is damaged.
        """
        kept = self._head_file.read()
        if kept is None:
            kept = self._trust_first_use()
        return None if kept is None or kept.seq == BEFORE_FIRST else kept

    def pin(self, head: Head) -> None:
        """Write the head kept here anew. Only for an operator who has looked: it forgets what was seen before."""
        self._head_file.write(head)

    def envelope(self, payload: Digest) -> bytes | None:
        """Return an envelope's bytes by the digest of its payload, as the server has them; None where there is none."""
        return self._http.content("/envelopes", query={"payload": payload})

    def envelope_digests(self, payloads: Collection[Digest] | None = None) -> Mapping[str, Digest]:
        """Return the digests of envelopes' bytes as the server says them, by the payload that each is filed under.

        Whoever relies on an envelope has to fetch and open it: a digest that the server says proves nothing.
        """
        if payloads is None:
            return self._digests(self._http.json("GET", "/envelope-digests"))
        found: dict[str, Digest] = {}
        wanted = list(payloads)
        for first in range(0, len(wanted), _ASKED):
            question = {"payloads": wanted[first : first + _ASKED]}
            found |= self._digests(self._http.json("POST", "/envelope-digests", body=question))
        return found

    def held(
        self, places: Collection[int], payloads: Collection[Digest]
    ) -> tuple[Mapping[int, bytes], Mapping[str, Digest]]:
        """Return `leaves_at` and `envelope_digests`: the server has a route for each."""
        return self.leaves_at(places) if places else {}, self.envelope_digests(payloads)

    def find(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        system: str | None = None,
        newest: int | None = None,
    ) -> Sequence[Digest]:
        """Return payload digests by the server's look-up columns, oldest first. A view: nothing decides from it."""
        asked = {"model": model, "version": version, "system": system, "newest": newest}
        query = {name: value for name, value in asked.items() if value is not None}
        found = self._said("/find", "payloads", list, query=query)
        try:
            return tuple(Digest(item) for item in found)
        except (TypeError, ValueError) as error:
            raise self._strange(error) from error

    def tiles(self, places: Collection[Place]) -> Mapping[Place, bytes]:  # noqa: ARG002  # see below
        """Return none: a server hands its leaves out, and this client makes the same hashes of them."""
        return {}

    tile_roots = tiles

    def tile_places(self) -> Collection[Place]:
        """Return none, likewise."""
        return ()

    def checkpoints(self) -> Sequence[bytes]:
        """Return none: a server hands no checkpoints out; what this client keeps is `last_checkpoint`."""
        return ()

    def keep_checkpoint(self, note: bytes, *, size: int) -> None:  # noqa: ARG002  # never taken
        """Raise `UsageError`: who keeps the log signs its checkpoints."""
        raise UsageError(
            f"{self.place} keeps the log, and whoever keeps it signs its checkpoints",
            hint="run `aims log` with AIMS_STORE set to the server's own database; `aims log verify` works from here",
        )

    def last_checkpoint(self) -> bytes | None:
        """Return the checkpoint that this client keeps; None where it keeps none."""
        return self._checkpoint_file.read()

    def pin_checkpoint(self, note: bytes) -> None:
        """Keep exactly this checkpoint at this client. Whoever calls it has compared it with the one before."""
        self._checkpoint_file.write(note)

    def erase(self, payload: Digest, *, tombstone: Digest, blobs: Collection[Digest] = ()) -> bool:  # noqa: ARG002
        """Raise `UsageError`: a server takes no request to erase."""
        raise UsageError(
            f"{self.place} erases nothing for a client: erase at the store itself",
            hint="run `aims evidence erase` with AIMS_STORE set to the server's own database",
        )

    def put_blob(self, content: bytes) -> Digest:
        """Keep bytes by their digest; the same bytes again change nothing. Raises `StoreError`."""
        digest = Digest.of(content)
        self._http.put("/blobs", query={"digest": digest}, content=content)
        return digest

    def blob(self, digest: Digest) -> bytes | None:
        """Return the bytes with this digest, None where there are none; `VerificationError` where they are others."""
        content = self._http.content("/blobs", query={"digest": digest})
        if content is not None and Digest.of(content) != digest:
            raise self._broken(f"the stored text {digest} was changed: it is now {Digest.of(content)}")
        return content

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that processes **of this machine** respect; `StoreError` when it cannot be had within 30 s.

        Other clients are not kept out: what must be decided alone is decided by the server, under its own lock.
        """
        path = self._files.with_name(f"{self._files.name}.{Digest.of(name.encode()).short}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain_os_error(error, path) from error
        return file_lock(path, what=f"{name!r} of {self.place}", seconds=LOCK_SECONDS)

    def close(self) -> None:
        """Close this thread's connection. The store can be used again."""
        self._http.close()

    def _hold_to_head(self) -> None:
        """Refuse a log that is not the one which this client has seen (rule 3 of `evidence.log`)."""
        kept = self.head()
        if kept is None:
            return
        there = self.leaves_at([kept.seq]).get(kept.seq)
        if there is None:
            raise self._broken(
                f"leaf {kept.seq} was seen before and is gone: the log's tail is cut off, or it has a hole"
            )
        if Digest.of(there) != kept.digest:
            raise self._broken(f"leaf {kept.seq} is not the leaf that was seen there before")

    def _trust_first_use(self) -> Head | None:
        said = self._http.json("GET", "/head").get("head", ...)
        if said is None:
            return None
        try:
            head = Head.from_bytes(canonical(said))
        except (TypeError, ValueError, VerificationError) as error:
            raise self._strange(error) from error
        self._head_file.advance(head)
        self.head_was_pinned_now = True
        _log.warning(
            "%s: this client sees the log for the first time and takes leaf %d for its true end; "
            "what was cut off before cannot be seen from here",
            self.place,
            head.seq,
        )
        return head

    def _said(self, path: str, name: str, kind: type, *, query: Mapping[str, Any] | None = None) -> Any:
        value = self._http.json("GET", path, query=query).get(name)
        if not isinstance(value, kind):
            raise self._strange(TypeError(f"{name} is missing"))
        return value

    def _places(self, page: Mapping[str, Any], asked: Collection[int]) -> dict[int, bytes]:
        try:
            found = {int(place): base64.b64decode(leaf, validate=True) for place, leaf in page["leaves"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
            raise self._strange(error) from error
        allowed = set(asked)
        if not allowed.issuperset(found):
            raise self._strange(ValueError("leaves of other places than those asked for"))
        return {place: found[place] for place in sorted(found)}

    def _digests(self, answer: Mapping[str, Any]) -> dict[str, Digest]:
        try:
            return {str(payload): Digest(digest) for payload, digest in answer["envelopes"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._strange(error) from error

    def _stored(self, answer: Mapping[str, Any]) -> StoredLeaf:
        try:
            return StoredLeaf.from_bytes(base64.b64decode(answer["leaf"], validate=True))
        except (KeyError, TypeError, ValueError, binascii.Error, VerificationError) as error:
            raise self._strange(error) from error

    def _strange(self, error: Exception) -> StoreError:
        return self._http.strange(error)

    def _broken(self, what: str) -> VerificationError:
        return VerificationError(f"{self.place}: {what}", hint=_LOOK)
