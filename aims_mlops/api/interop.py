"""What is recorded about a version in the forms of other tools: for `aims evidence export --as FORM`.

1. Only what a trusted key signed, and what is bound to exactly this version of this registry, is converted: a new
   signature under somebody else's words would vouch for them.
2. Only the newest counts, as at the gate: of each check the newest result, of each target the newest judgement. An old
   pass in a form that has no sequence could not be told from a new one.
3. Nothing is recorded: these are copies. Whoever wants the record has the envelopes that lie beside them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path

from aims_mlops.api.services import Services
from aims_mlops.errors import NothingToDo, SigningError, VerificationError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.evidence.interop import model_signature, sigstore_bundle, slsa_vsa
from aims_mlops.evidence.interop.in_toto_test_result import as_test_result
from aims_mlops.evidence.record import Record
from aims_mlops.model.register import PublicKey
from aims_mlops.model.subject import ModelVersion
from aims_mlops.ports import Signer

FORMS = ("test-result", "slsa-vsa", "model-signature", "sigstore")
"""What `--as` takes. In this order, since bundles are made of what the others made."""


def converted(
    services: Services,
    version: ModelVersion,
    records: Sequence[Record],
    files: Mapping[str, bytes],
    forms: Iterable[str],
    *,
    pem: Callable[[PublicKey], bytes],
) -> dict[str, bytes]:
    """Return more files for an export that already has some, by name.

    Raises `NothingToDo` where there is nothing to be said in a form, `VerificationError` where what is there does not
    hold, and `SigningError` where nobody can sign. Nothing is written.
    """
    wanted, made = set(forms), dict[str, bytes]()
    trusted = [record for record in records if record.signer is not None and _binds(record, version)]
    if "test-result" in wanted:
        made |= _signed(services, "test-result", _newest_results(version, trusted), as_test_result)
    if "slsa-vsa" in wanted:
        made |= _signed(services, "slsa-vsa", _newest_judgements(version, trusted), slsa_vsa.as_verification_summary)
    if "model-signature" in wanted:
        made["model.sig"] = _model_signature(services, version, trusted, pem)
    if "sigstore" in wanted:
        made |= _bundles(services, {**files, **made})
    return made


def _binds(record: Record, version: ModelVersion) -> bool:
    header = record.statement.header
    return (header.registry_id, header.workspace, header.model, header.version, header.version_created_at) == (
        version.registry_id,
        version.workspace,
        version.name,
        version.version,
        version.created_at,
    )


def _newest(records: Iterable[Record], key: Callable[[Record], Hashable]) -> list[Record]:
    newest: dict[Hashable, Record] = {}
    for record in sorted(records, key=lambda record: record.seq):
        newest[key(record)] = record
    return list(newest.values())


def _newest_results(version: ModelVersion, trusted: Sequence[Record]) -> list[Record]:
    def of_check(record: Record) -> Hashable:
        check = record.statement.body.get("check")
        return str(check.get("id")) if isinstance(check, Mapping) else ""

    results = _newest([record for record in trusted if record.statement.kind == "check-result"], of_check)
    if not results:
        raise NothingToDo(
            f"no check result about {version.label} is signed by anyone trusted for it",
            hint=f"aims check {version.label}",
        )
    return results


def _newest_judgements(version: ModelVersion, trusted: Sequence[Record]) -> list[Record]:
    def of_target(record: Record) -> Hashable:
        return canonical([record.statement.body.get("to"), record.statement.body.get("on")])

    decisions = [record for record in trusted if record.statement.kind == "gate-decision"]
    judgements = _newest([record for record in decisions if slsa_vsa.is_judgement(record)], of_target)
    if not judgements:
        raise NothingToDo(
            f"no decision about {version.label} is signed by anyone trusted for it",
            hint=f"aims gate {version.label} --to ALIAS",
        )
    return judgements


def _signed(
    services: Services, folder: str, records: Iterable[Record], convert: Callable[[Record], bytes]
) -> dict[str, bytes]:
    signer = services.signer()
    made = {}
    for record in records:
        payload = convert(record)
        envelope = Envelope(payload, (_signature(signer, payload),))
        # Named as the envelope that it is made from, so that nothing of what a statement says becomes a path.
        made[f"{folder}/{record.payload.hex}.dsse.json"] = envelope.to_bytes()
    return made


def _signature(signer: Signer, payload: bytes) -> Signature:
    return Signature(signer.key_id, signer.sign(pae(payload)))


def _model_signature(
    services: Services, version: ModelVersion, trusted: Sequence[Record], pem: Callable[[PublicKey], bytes]
) -> bytes:
    newest = max(_newest_results(version, trusted), key=lambda record: record.seq)
    signer = services.signer()
    key = _public(services, signer)
    model_signature.must_be_p256(key, signer.person)
    with tempfile.TemporaryDirectory(prefix="aims-") as folder:
        snapshot = services.registry.snapshot(version, Path(folder) / "model")
    if snapshot.digest != newest.statement.subject:
        then = newest.statement.subject
        raise VerificationError(
            f"the files of {version.label} are not those that were checked"
            f" (then {then.short}, now {snapshot.digest.short}): they are not signed",
            hint="aims evidence verify names what changed; register the model anew, and aims check it",
        )
    payload = model_signature.payload(version.name, snapshot.manifest)
    return model_signature.as_model_signature(payload, signer.sign(pae(payload)), pem=pem(key))


def _public(services: Services, signer: Signer) -> PublicKey:
    key = next((key for person in services.project.people for key in person.keys if key.id == signer.key_id), None)
    if key is None:
        raise SigningError(
            f"the key of {signer.person!r} is not among the keys that aims.yaml lists", hint="list it under people:"
        )
    return key


def _bundles(services: Services, files: Mapping[str, bytes]) -> dict[str, bytes]:
    keys = [key for person in services.project.people for key in person.keys]
    made = {}
    for name, content in files.items():
        base = name.removesuffix(".dsse.json")
        if base == name:
            continue
        for place, bundle in enumerate(sigstore_bundle.as_bundles(Envelope.from_bytes(content), keys), start=1):
            made[f"{base}.sigstore.json" if place == 1 else f"{base}.{place}.sigstore.json"] = bundle
    return made
