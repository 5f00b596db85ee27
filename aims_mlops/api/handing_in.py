"""Evidence from clients: what a server asks of an envelope before it stores it.

In this order; the first that does not hold refuses the envelope, and nothing is stored:

1. it is an envelope, and in it a statement of ours in canonical form;
2. its kind is one that clients hand in, and it does not claim to be the server's own;
3. a key that the applied policy trusts for this kind signed it; a configuration (`policy`): an administrator's key;
   a waiver that is asked for or spoken against: anybody's in the register;
4. it is about this registry, and was measured and signed before now, and signed not long ago;
5. the system that it names is one of the register's, and claims the model;
6. the version that it names is in the registry, with that workspace and creation time;
7. a `waiver` reads, and what it answers is a request in the log about the same files (`waiver_intake`).

What is stored that way is evidence, and no more: the gate judges it anew each time. **Not** checked here: that the
subject is the digest of the version's files, and that the policy digest is today's; the gate says `mismatched` and
`stale` to those. An envelope that the store has already is answered with the leaf that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aims_mlops.api.services import Services, trust_of
from aims_mlops.api.waiver_intake import waiver_problem
from aims_mlops.errors import AimsError, ExitCode, RegistryError, UsageError, VerificationError
from aims_mlops.evidence.canonical import MAX_BYTES
from aims_mlops.evidence.configuration import PolicyBody
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.intent import CHECK
from aims_mlops.evidence.log import StoredLeaf
from aims_mlops.evidence.record import ANYBODY, trusted_as
from aims_mlops.evidence.statement import Header, Statement, predicate_type
from aims_mlops.gate import CLOCK_SKEW
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey
from aims_mlops.model.subject import ModelRef
from aims_mlops.model.times import duration_text, to_text
from aims_mlops.ports import Clock, Entry, EvidenceStore

CLIENT_KINDS = ("check-result", "record", "waiver", "gate-decision", "bypass-finding", "policy", "intent")
"""The kinds of statement that a client may hand in. Every other kind is the server's own, or has no writer yet."""

MAX_ENVELOPE = 2 * MAX_BYTES
"""Bytes of the largest envelope that is taken: what the strict reader of envelopes takes too."""

MAX_BLOB = 2 * MAX_BYTES
"""Bytes of the largest text (manifest, policy) that is taken."""

LONGEST_WAY = timedelta(hours=1)
"""How old a signature may be when it is handed in.

The newest trusted result decides, so that an old one which never arrived must not become the newest one later.
"""

_MAX_SIGNATURES = 16
_OWN = ("basic-auth", "proxy")
_SAY_IT = "read the newest aims.yaml that was applied, aims check again, and hand that in"


class NotAccepted(AimsError):
    """A server does not store what was handed in. `code` is a short word for programs; nothing was written."""

    exit_code = ExitCode.UNVERIFIED

    def __init__(self, code: str, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.code = code


@dataclass(frozen=True)
class Intake:
    """Where a server takes evidence in. Reading the store and applying a configuration need no applied one yet."""

    store: EvidenceStore
    services: Callable[[], Services]
    """The services of the configuration in force; raises an `AimsError` where none is."""
    clock: Clock
    administrators: Sequence[PublicKey] = ()
    """Who may sign a configuration."""
    within: Callable[[str], AbstractContextManager[object]] = lambda _workspace: nullcontext()
    """Enters a workspace of the registry for the look-up of a version; raises `RegistryError` where there is none."""


def hand_in(intake: Intake, content: bytes) -> StoredLeaf:
    """Verify an envelope by the seven steps above, append it, and return its leaf.

    Raises `NotAccepted` where a step does not hold, and what store and configuration raise where they cannot be had
    or do not hold themselves.
    """
    envelope, statement = _read(content)  # (1)
    header = statement.header
    entry = Entry(
        content,
        envelope.payload_digest,
        predicate_type(statement.kind),
        statement.subject,
        model=header.model,
        version=header.version,
        system=header.system,
    )
    if intake.store.envelope(entry.payload) != content:
        _kind_for_clients(statement)  # (2)
        if statement.kind == "policy":
            _is_configuration(intake, envelope, statement)  # (3)
            _here_and_now(intake, header)  # (4)
        else:
            services = intake.services()
            _signed(services, envelope, statement)  # (3)
            _here_and_now(intake, header)  # (4)
            _claimed(services, header)  # (5)
            _is_there(intake, services, statement)  # (6)
            if statement.kind == "waiver":
                _waives(services, envelope, statement)  # (7)
    return intake.store.append(entry)


def keep_blob(store: EvidenceStore, digest: Digest, content: bytes) -> None:
    """Keep a text that a statement refers to; `NotAccepted` where its digest is another, or where it is too large."""
    if len(content) > MAX_BLOB:
        raise NotAccepted("too-large", f"the text has {len(content)} bytes, more than {MAX_BLOB}", hint=_SPLIT)
    found = Digest.of(content)
    if found != digest:
        raise NotAccepted(
            "mismatched", f"the text has the digest {found}, not {digest}", hint="send the bytes as they were digested"
        )
    store.put_blob(content)


_SPLIT = "a manifest or policy of this size is most likely a mistake: see what was digested"


def _read(content: bytes) -> tuple[Envelope, Statement]:
    if len(content) > MAX_ENVELOPE:
        raise NotAccepted("too-large", f"the envelope has {len(content)} bytes, more than {MAX_ENVELOPE}", hint=_FORM)
    try:
        envelope = Envelope.from_bytes(content)
        if len(envelope.signatures) > _MAX_SIGNATURES:
            raise VerificationError(f"envelope: {len(envelope.signatures)} signatures, more than {_MAX_SIGNATURES}")
        return envelope, Statement.from_bytes(envelope.payload)
    except VerificationError as error:
        raise NotAccepted("malformed", str(error), hint=_FORM) from error


_FORM = "send one DSSE envelope as our client signs it (docs/predicates); it is read strictly"


def _kind_for_clients(statement: Statement) -> None:
    if statement.kind not in CLIENT_KINDS:
        raise NotAccepted(
            "not-for-clients",
            f"a {statement.kind} is not taken from a client",
            hint=f"clients hand in {', '.join(CLIENT_KINDS)}; promote through the registry, and the server records it",
        )
    body: Mapping[str, Any] = statement.body
    if statement.kind == "intent" and body.get("act") != CHECK:
        raise NotAccepted(
            "not-for-clients",
            f"an intent of the act {body.get('act')!r} is not taken from a client",
            hint=f"a client announces its own checks (act: {CHECK}); what a server is about to do it says itself",
        )
    done = body.get("act", "promote") != "promote" and body.get("verdict") != "denied"
    if statement.kind == "gate-decision" and done:
        raise NotAccepted(
            "not-for-clients",
            f"a decision of the act {body.get('act')!r} is not taken from a client",
            hint="remove through the registry, and the server records it; aims watch writes to the database itself",
        )
    if body.get("enforcedBy", "client") != "client" or body.get("actorVia") in _OWN:
        raise NotAccepted(
            "claims-the-server",
            f"a {statement.kind} that says it was enforced, or its actor vouched for, by a server is not taken from "
            "a client",
            hint="a client's decision says enforcedBy: client and actorVia: signature; the server decides by itself",
        )


def _signed(services: Services, envelope: Envelope, statement: Statement) -> None:
    trust, what = trust_of(services), trusted_as(statement)
    if trust.signers(what, envelope):
        return
    if what == ANYBODY:
        raise NotAccepted(
            "untrusted",
            f"nobody in the register of the applied configuration signed this {statement.kind}",
            hint="sign as an active person of aims.yaml (--as), with a key that is enrolled there",
        )
    names = ", ".join(dict.fromkeys(trust.by_kind.get(what, {}).values())) or "nobody"
    raise NotAccepted(
        "untrusted",
        f"nobody whom the applied policy trusts for a {statement.kind} signed it: the policy trusts {names}",
        hint=f"sign as one of them (--as, AIMS_SIGNER), or apply an aims.yaml that names the signer under "
        f"trust: {statement.kind}",
    )


def _waives(services: Services, envelope: Envelope, statement: Statement) -> None:
    problem = waiver_problem(services, statement, trust_of(services).signers(trusted_as(statement), envelope))
    if problem is not None:
        code, message, hint = problem
        raise NotAccepted(code, message, hint=hint)


def _is_configuration(intake: Intake, envelope: Envelope, statement: Statement) -> None:
    if not envelope.open_with(intake.administrators):
        raise NotAccepted(
            "untrusted",
            "no administrator whose key this server was started with signed this configuration",
            hint="sign with the key of one of --admin-keys (AIMS_ADMIN_KEYS)",
        )
    try:
        PolicyBody.from_wire(statement.body)
    except VerificationError as error:
        raise NotAccepted("malformed", str(error), hint="let `aims apply` write and sign it") from error


def _here_and_now(intake: Intake, header: Header) -> None:
    here = intake.store.registry_id()
    if header.registry_id != here:
        raise NotAccepted(
            "another-registry",
            f"it is about the registry {header.registry_id}, and this is {here}",
            hint="evidence does not move between registries: point AIMS_STORE at this server, and aims check again",
        )
    now = intake.clock()
    for what, moment in (("measured", header.measured_at), ("signed", header.signed_at)):
        if moment > now + CLOCK_SKEW:
            raise NotAccepted(
                "from-the-future",
                f"it was {what} at {to_text(moment)}, {duration_text(moment - now)} from now",
                hint="set the clock of the machine that signs (or this server's), then check and sign again",
            )
    if now - header.signed_at > LONGEST_WAY:
        raise NotAccepted(
            "too-late",
            f"it was signed {duration_text(now - header.signed_at)} ago, and is taken for "
            f"{duration_text(LONGEST_WAY)} only: an old result must not become the newest one",
            hint="aims check again (or sign the record anew); see that the clock of the signing machine is right",
        )


def _claimed(services: Services, header: Header) -> None:
    system, model = header.system, header.model
    known = [one.id for one in services.project.systems]
    if system is not None and system not in known:
        raise NotAccepted(
            "unknown-system",
            f"the applied configuration has no system {system!r}; it has {', '.join(known) or 'none'}",
            hint=_SAY_IT,
        )
    claimants = [one.id for one in services.project.claimants(model)] if model is not None else []
    if system is not None and model is not None and system not in claimants:
        whose = f"belongs to {', '.join(claimants)}" if claimants else "belongs to nobody"
        raise NotAccepted(
            "unknown-system",
            f"system {system} does not claim the model {model!r}, which {whose} in the applied configuration",
            hint=_SAY_IT,
        )


def _is_there(intake: Intake, services: Services, statement: Statement) -> None:
    """Hold a statement about a version to the registry. What was found in the registry may be gone by now."""
    header = statement.header
    if header.version is None:
        if header.version_created_at is not None:
            raise NotAccepted("malformed", "statement: a time of creation without a version", hint=_FORM)
        return
    if header.model is None or header.version_created_at is None:
        raise NotAccepted("malformed", "statement: a version without model or time of creation", hint=_FORM)
    if statement.kind == "bypass-finding":
        return
    label = f"{header.model}/{header.version}"
    try:
        with intake.within(header.workspace):
            found = services.registry.resolve(ModelRef(header.model, version=header.version), header.registry_id)
    except (RegistryError, UsageError) as error:
        raise NotAccepted(
            "unknown-version",
            f"the registry of this server does not give {label} in the workspace {header.workspace!r}: {error}",
            hint="register the version with this server, then aims check it",
        ) from error
    said = (header.workspace, header.version, header.version_created_at)
    if said != (found.workspace, found.version, found.created_at):
        raise NotAccepted(
            "another-version",
            f"it is about {label} of the workspace {header.workspace!r}, made at "
            f"{to_text(header.version_created_at)}; here is {found.label} of {found.workspace!r}, made at "
            f"{to_text(found.created_at)}",
            hint=f"a number that is used again is another version: aims check {found.label}",
        )
