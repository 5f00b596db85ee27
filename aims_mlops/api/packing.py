"""`aims pack build`: everything that a log holds of one system in a period, as files that verify without us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aims_mlops.api.evidence import says
from aims_mlops.api.exporting import pem
from aims_mlops.api.log_identity import identity
from aims_mlops.api.pack_choosing import Chosen, choose
from aims_mlops.api.pack_log import PackedLog, packed_log
from aims_mlops.api.pack_papers import index_csv, readme, verifiers
from aims_mlops.api.register import system as system_entry
from aims_mlops.api.services import Said, Services, sign, trust_of
from aims_mlops.errors import CannotDecide, SigningError, UsageError, VerificationError
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.pack_index import (
    INDEX,
    SUBJECT,
    FileEntry,
    PackIndex,
    PackLog,
    manifest_file,
    policy_file,
    statement_file,
)
from aims_mlops.evidence.pack_trust import PackTrust
from aims_mlops.evidence.statement import MANIFEST
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Policy
from aims_mlops.model.subject import WholeRegistry
from aims_mlops.ports import Signer


@dataclass(frozen=True)
class Pack:
    """A pack that was made: its files by name, its index, and what a reader should know of it."""

    files: Mapping[str, bytes]
    index: PackIndex
    digest: Digest
    signed_by: str
    warnings: tuple[str, ...]


def pack_trust(services: Services) -> PackTrust:
    """Return whom a reader of packs of this project believes, by aims.yaml: what `aims pack trust` writes."""
    trust, registry = trust_of(services), services.store.registry_id()
    if services.project.log is None:
        return PackTrust(registry, trust)
    who = identity(services)
    return PackTrust(registry, trust, who.origin, who.keys, who.witnesses, who.quorum)


def build_pack(
    services: Services, system_id: str, start: datetime, end: datetime, *, brought: Sequence[bytes] = ()
) -> Pack:
    """Make the pack of a system for the time from `start` to just before `end`, by the store's clock; sign its index.

    `brought` are checkpoints beside those that the store keeps: one that is read over HTTP keeps none. Refuses a log
    that does not hold: `VerificationError`, or `CannotDecide` for a hole. Raises `SigningError` for a signer whom
    aims.yaml does not trust for packs, `NothingToDo` where the log has nothing of the system.
    """
    if start >= end:
        raise UsageError("the period ends before it begins", hint="--from DATE --to DATE, the earlier first")
    system = system_entry(services, system_id).system
    trust, signer = pack_trust(services), services.signer()
    if signer.key_id not in trust.trust.by_kind.get("pack", {}):
        hint = f"trust: {{pack: [{signer.person}]}} in aims.yaml; without `pack` who signs decisions may sign packs"
        raise SigningError(f"{signer.person!r} is not trusted to sign a pack", hint=hint)
    chosen = choose(services, system, start, end, trust.trust)
    log = packed_log(services, chosen, brought)
    files = {**_statements(services, chosen), **log.files, **_texts(services, chosen), **_keys(services)}
    files |= {**verifiers(), "README.txt": readme(system.id, start, end, checkpoint=log.size)}
    rows = [(record, statement_file(record.seq, record.statement.kind), says(record)) for record in chosen.records]
    files["index.csv"] = index_csv(rows)
    index = PackIndex(
        system=system.id,
        start=start,
        end=end,
        log=PackLog(log.origin, log.size, log.root, chosen.walked.size),
        period=chosen.period,
        before=chosen.before,
        others=chosen.others,
        files={name: FileEntry.of(content) for name, content in files.items()},
    )
    envelope = _signed(services, index, system.policy, signer)
    files[INDEX] = envelope.to_bytes()
    warnings = tuple(_warnings(log, chosen))
    return Pack(dict(sorted(files.items())), index, envelope.payload_digest, signer.person, warnings)


def _signed(services: Services, index: PackIndex, policy: Policy, signer: Signer) -> Envelope:
    """Sign the index. It is handed on with the files, and is not written into the log."""
    said = Said(
        "pack",
        WholeRegistry(services.store.registry_id()),
        subject=None,
        policy=policy,
        body=index.to_wire(),
        measured_at=services.clock(),
        about=(SUBJECT, index.subject),
    )
    return sign(services, said, signer=signer)[1]


def _statements(services: Services, chosen: Chosen) -> dict[str, bytes]:
    files = {}
    for record in chosen.records:
        content = services.store.envelope(record.payload)
        if content is None:
            raise CannotDecide(f"the statement of leaf {record.seq} is gone", hint="aims evidence verify")
        files[statement_file(record.seq, record.statement.kind)] = content
    return files


def _texts(services: Services, chosen: Chosen) -> dict[str, bytes]:
    """Return the policies and the manifests that the statements name, as far as the store has them."""
    statements = [record.statement for record in chosen.records]
    named = {policy_file(digest): digest for item in statements if (digest := item.header.policy_digest) is not None}
    named |= {manifest_file(item.subject): item.subject for item in statements if item.subject_name == MANIFEST}
    found = {}
    for name, digest in named.items():
        content = services.store.blob(digest)
        if content is not None:
            if Digest.of(content) != digest:
                what = f"the text that the store keeps under {digest.short} is another"
                raise VerificationError(what, hint="put the newest copy of the store back")
            found[name] = content
    return found


def _keys(services: Services) -> dict[str, bytes]:
    """Return the public keys of aims.yaml for comparison. Nobody who verifies takes a key from here."""
    return {
        f"keys/{person.id}-{key.id.short}.pub.pem": pem(key)
        for person in services.project.people
        for key in person.keys
    }


def _warnings(log: PackedLog, chosen: Chosen) -> Iterator[str]:
    late = sum(leaf.seq >= log.size for leaf in chosen.leaves)
    if log.root is None:
        yield "no checkpoint: nothing proves that these statements are in a log. `aims log checkpoint` signs one"
    elif late:
        yield f"{late} of {len(chosen.leaves)} leaves came after the newest checkpoint. `aims log checkpoint`"
    if log.root is not None and not log.witnessed:
        yield "unwitnessed: nobody outside has seen this log. `aims log witness URL`"
