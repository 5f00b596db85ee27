"""What the use cases need from outside, as Protocols with a verb or two."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from aims_mlops.evidence.log import Head, StoredLeaf
from aims_mlops.evidence.merkle import Place
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.model.subject import ModelRef, ModelVersion, Target
from aims_mlops.plugin import Dataset, Engine, Predictor

Clock = Callable[[], datetime]
"""Returns the present time, aware. Fixed in tests."""


class DataEngine(Engine, Protocol):
    """An engine as the runner sees it: it also opens datasets and joins predictions to them. Raises `DataError`."""

    def open(self, spec: DatasetSpec, frame: object | None = None, *, origin: str = "policy") -> Dataset:
        """Open the policy's dataset, or a frame in its place; digest it, and hold its columns to the policy."""
        ...

    def score(self, data: Dataset, predictor: Predictor, *, batch_rows: int = 50_000) -> Dataset:
        """Return the same rows with what the predictor says of them."""
        ...

    def with_stored_predictions(self, data: Dataset, spec: DatasetSpec) -> Dataset:
        """Return the same rows with the predictions stored in them."""
        ...

    def verify_unchanged(self, data: Dataset) -> None:
        """Raise `DataError` where the data are no longer those that were digested."""
        ...


class Signer(Protocol):
    """Makes signatures in a person's name."""

    @property
    def person(self) -> str:
        """The id in aims.yaml of whose key this is."""
        ...

    @property
    def key_id(self) -> Digest:
        """SHA-256 of the public key's DER SubjectPublicKeyInfo."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign some bytes; raise `SigningError` where the key cannot be used."""
        ...


@dataclass(frozen=True)
class Entry:
    """What is handed to the store: an envelope's bytes, and what a leaf and the look-up columns say of it."""

    envelope: bytes
    payload: Digest
    type: str
    subject: Digest
    model: str | None = None
    version: str | None = None
    system: str | None = None


class EvidenceStore(Protocol):
    """Keeps envelopes and the chain of leaves over them. Append only. Raises `StoreError`."""

    @property
    def enforces(self) -> bool:
        """Whether a server keeps it that decides by itself: a decision that is taken here binds nobody then."""
        ...

    @property
    def place(self) -> str:
        """Where it is, for people; without password."""
        ...

    def registry_id(self) -> str:
        """Return the registry's UUID, minted when the store was made."""
        ...

    def append(self, entry: Entry) -> StoredLeaf:
        """Store envelope and leaf in one transaction, then move the outside head. Idempotent by payload digest."""
        ...

    def reading(self) -> AbstractContextManager[None]:
        """Let what this thread reads inside the `with` go over one connection, each time in the newest state."""
        ...

    def leaves(self, start: int = 0) -> Iterator[bytes]:
        """Yield the stored leaves' bytes in their order, as they stand."""
        ...

    def leaves_at(self, places: Collection[int]) -> Mapping[int, bytes]:
        """Return the leaves' bytes at these places, as they stand; a place that is empty is left out."""
        ...

    def head(self) -> Head | None:
        """Return the head kept outside the database; None where none was ever kept."""
        ...

    def pin(self, head: Head) -> None:
        """Write the outside head anew. Only for an operator who has looked."""
        ...

    def envelope(self, payload: Digest) -> bytes | None:
        """Return an envelope's bytes by the digest of its payload."""
        ...

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
        ...

    def envelope_digests(self, payloads: Collection[Digest] | None = None) -> Mapping[str, Digest]:
        """Return the digests of envelopes' bytes as they stand, by the digest of the payload: of these, or of all."""
        ...

    def held(
        self, places: Collection[int], payloads: Collection[Digest]
    ) -> tuple[Mapping[int, bytes], Mapping[str, Digest]]:
        """Return what `leaves_at` and `envelope_digests` do for these, with as few questions as the place allows."""
        ...

    def tiles(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the hashes of those of these full tiles of the Merkle tree that are kept. A view of the leaves."""
        ...

    def tile_roots(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the roots of those of these full tiles that are kept."""
        ...

    def tile_places(self) -> Collection[Place]:
        """Return which full tiles are kept."""
        ...

    def checkpoints(self) -> Sequence[bytes]:
        """Return the signed checkpoints kept with the log, as they stand, smallest first."""
        ...

    def keep_checkpoint(self, note: bytes, *, size: int) -> None:
        """Keep a signed checkpoint with the log. Raises `StoreError`, and where a server keeps the log."""
        ...

    def last_checkpoint(self) -> bytes | None:
        """Return the checkpoint kept outside the database; None where none was ever kept."""
        ...

    def pin_checkpoint(self, note: bytes) -> None:
        """Keep exactly this checkpoint outside. Whoever calls it has compared it with the one before."""
        ...

    def put_blob(self, content: bytes) -> Digest:
        """Keep bytes that a statement refers to by digest (a manifest, a policy's text)."""
        ...

    def blob(self, digest: Digest) -> bytes | None:
        """Return such bytes."""
        ...

    def erase(self, payload: Digest, *, tombstone: Digest, blobs: Collection[Digest] = ()) -> bool:
        """Delete an envelope and texts for good, and return whether any was there; the leaf stays.

        Only for a statement that a tombstone in the log speaks of. Raises where a server keeps the log.
        """
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock that other processes respect; raise `StoreError` when it cannot be had in time."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """The files of a model version at one moment. `folder` is private to us where `copied`."""

    folder: Path
    manifest: bytes
    digest: Digest


@dataclass(frozen=True)
class Standing:
    """One thing that holds now: a version has an alias or a stage, or lies under a name of interest."""

    version: ModelVersion
    target: Target


class Witness(Protocol):
    """Somebody outside who cosigns checkpoints of the log. Raises `CannotDecide` where it does not answer."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        ...

    def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        """Send a request of C2SP tlog-witness; return the status and the body of the answer."""
        ...


class Notifier(Protocol):
    """Tells people. Raises `NotifyError` where nobody could be told."""

    def notify(self, title: str, text: str) -> None:
        """Send a short plain text to every address that it knows."""
        ...


class ModelRegistry(Protocol):
    """The platform that holds models. Raises `RegistryError`."""

    def resolve(self, ref: ModelRef, registry_id: str) -> ModelVersion:
        """Return the version that a reference means now."""
        ...

    def snapshot(self, version: ModelVersion, folder: Path) -> Snapshot:
        """Copy the version's files into an empty folder and digest them; refuse links and odd names."""
        ...

    def manifest(self, version: ModelVersion) -> bytes:
        """Return the manifest of the version's files as they are now, at their resolved place."""
        ...

    def predictor(self, snapshot: Snapshot, *, positive: object = None) -> Predictor:
        """Return a predictor that runs the snapshot in a process without secrets."""
        ...

    def standing(self, registry_id: str, *, names: Callable[[str], bool]) -> Iterator[Standing]:
        """Yield what holds now: every alias of every registered model, every version's stage, `None` left out.

        Where `names` takes a model's name, each of its versions is yielded as `Target("name", model)` too.
        """
        ...

    def act(self, version: ModelVersion, target: Target) -> None:
        """Carry a promotion out: set the alias or stage, or copy into the protected name."""
        ...

    def remove(self, version: ModelVersion, target: Target) -> None:
        """Take an alias away from a version, or bring it out of a stage. Raises `UsageError` for a name."""
        ...

    def publish(self, version: ModelVersion, files: Mapping[str, bytes], tags: Mapping[str, str]) -> None:
        """Attach files to the version's run and set pointer tags. Nothing ever decides from them."""
        ...
