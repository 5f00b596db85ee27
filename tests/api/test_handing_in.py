"""What a server takes from clients, and each thing that it refuses, as a client reads it."""

from __future__ import annotations

import base64
import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aims_mlops.api import Intake, NotAccepted, Services, hand_in, keep_blob
from aims_mlops.api.handing_in import CLIENT_KINDS, MAX_BLOB, MAX_ENVELOPE
from aims_mlops.errors import CannotDecide, ExitCode, StoreError
from aims_mlops.evidence.configuration import SUBJECT, Bundle, PolicyBody
from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.evidence.log import StoredLeaf
from aims_mlops.evidence.statement import KINDS, Header, Statement
from aims_mlops.evidence.waiver_body import Refused
from aims_mlops.model.digest import Digest
from aims_mlops.model.trust import Revocation, Term
from tests.api.world import World
from tests.builders import (
    CREATED,
    MODEL_FILES,
    NOW,
    failing,
    header,
    human,
    key,
    policy,
    result,
    sign_bytes,
    signed,
    system,
    waiver_answer,
    waiver_request,
)

SERVER = "claims-the-server"
HOUR = timedelta(hours=1)


def intake(world: World, **changes: Any) -> Intake:
    made = Intake(world.store, lambda: world.services, lambda: world.now, administrators=(key("administrator").public,))
    return replace(made, **changes)


def now(world: World, **changes: Any) -> dict[str, Any]:
    """The header's fields for a statement of this moment in this registry."""
    registry_id = world.store.registry_id()
    return {"registry_id": registry_id, "measured_at": world.now, "signed_at": world.now, **changes}


def told(world: World, **changes: Any) -> Statement:
    return result(**now(world, **changes))


def of_kind(kind: str, body: dict[str, Any] | None = None, **changes: Any) -> Statement:
    return Statement(kind, MODEL_FILES, header(datasets=(), **changes), body or {})


def refusal(world: World, content: bytes | Envelope) -> NotAccepted:
    """Hand something in that is refused; hold the log to have nothing new, and return the refusal."""
    before = list(world.store.leaves())
    with pytest.raises(NotAccepted) as caught:
        hand_in(intake(world), content if isinstance(content, bytes) else content.to_bytes())
    assert list(world.store.leaves()) == before
    assert caught.value.exit_code is ExitCode.UNVERIFIED
    return caught.value


def test_a_result_that_the_pipeline_signed_is_stored_under_its_look_up_columns(world: World) -> None:
    envelope = signed(told(world)).to_bytes()
    stored = hand_in(intake(world), envelope)
    assert [StoredLeaf.from_bytes(leaf) for leaf in world.store.leaves()] == [stored]
    assert world.store.envelope(stored.leaf.payload) == envelope
    assert world.store.find(model="income", version="3", system="income") == (stored.leaf.payload,)


def test_the_same_envelope_again_gets_the_same_leaf_even_long_after(world: World) -> None:
    envelope = signed(told(world)).to_bytes()
    first = hand_in(intake(world), envelope)
    world.now += timedelta(days=90)
    world.registry.held.clear()
    assert hand_in(intake(world), envelope) == first
    assert len(list(world.store.leaves())) == 1


def test_what_was_measured_under_an_older_policy_is_stored_for_the_gate_to_call_it_stale(world: World) -> None:
    hand_in(intake(world), signed(told(world, policy_digest=Digest.of(b"an older policy"))).to_bytes())
    assert len(list(world.store.leaves())) == 1


def test_a_record_of_a_person_is_stored(world: World) -> None:
    hand_in(intake(world), signed(human(**now(world)), "colleague").to_bytes())
    assert len(list(world.store.leaves())) == 1


def test_a_decision_that_says_that_a_client_took_it_is_stored(world: World) -> None:
    body = {"verdict": "allowed", "enforcedBy": "client", "actor": "pipeline", "actorVia": "signature"}
    hand_in(intake(world), signed(of_kind("gate-decision", body, **now(world))).to_bytes())
    assert len(list(world.store.leaves())) == 1


def test_a_refusal_about_a_registered_model_needs_no_version(world: World) -> None:
    body = {"act": "rename", "verdict": "denied", "enforcedBy": "client"}
    about = now(world, version=None, version_created_at=None, system=None, policy_digest=None)
    hand_in(intake(world), signed(of_kind("gate-decision", body, **about)).to_bytes())
    assert world.store.find(model="income")


def test_a_finding_about_a_version_that_is_gone_is_stored(world: World) -> None:
    world.put_policy(world.trusting(bypass_finding=["pipeline"]))
    world.registry.held.clear()
    hand_in(intake(world), signed(of_kind("bypass-finding", **now(world))).to_bytes())
    assert len(list(world.store.leaves())) == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in CLIENT_KINDS])
def test_no_other_kind_is_taken_from_a_client(kind: str, world: World) -> None:
    world.put_policy(world.trusting(**{kind.replace("-", "_"): ["pipeline"]}))
    error = refusal(world, signed(of_kind(kind, **now(world))))
    assert (error.code, str(error)) == ("not-for-clients", f"a {kind} is not taken from a client")
    assert error.hint == (
        "clients hand in check-result, record, waiver, gate-decision, bypass-finding, policy, intent, key-event; "
        "promote through the registry, and the server records it"
    )


@pytest.mark.parametrize(
    "body",
    [
        {"enforcedBy": "server"},
        {"enforcedBy": None},
        {"enforcedBy": ["client"]},
        {"enforcedBy": "client", "actorVia": "basic-auth"},
        {"actorVia": "proxy"},
    ],
    ids=json.dumps,
)
def test_a_decision_that_claims_to_be_the_servers_own_is_refused_whoever_signed_it(
    body: dict[str, Any], world: World
) -> None:
    error = refusal(world, signed(of_kind("gate-decision", {"verdict": "allowed", **body}, **now(world))))
    assert error.code == SERVER
    assert str(error) == (
        "a gate-decision that says it was enforced, or its actor vouched for, by a server is not taken from a client"
    )
    assert error.hint == (
        "a client's decision says enforcedBy: client and actorVia: signature; the server decides by itself"
    )


@pytest.mark.parametrize("act", ["remove", "restore"])
def test_a_client_does_not_say_that_something_was_taken_away_or_put_back(act: str, world: World) -> None:
    body = {"act": act, "to": {"alias": "champion"}, "verdict": "allowed", "enforcedBy": "client"}
    error = refusal(world, signed(of_kind("gate-decision", body, **now(world))))
    assert error.code == "not-for-clients"
    assert str(error) == f"a decision of the act '{act}' is not taken from a client"
    assert "the server records it" in error.hint


def test_whoever_may_measure_may_announce_checks(world: World) -> None:
    body = {"act": "check", "checks": [{"id": "parity", "use": "fairness", "required": True}], "data": []}
    hand_in(intake(world), signed(of_kind("intent", body, **now(world))).to_bytes())
    assert len(list(world.store.leaves())) == 1
    error = refusal(world, signed(of_kind("intent", {**body, "more": 1}, **now(world)), "colleague"))
    assert error.code == "untrusted"


@pytest.mark.parametrize("act", ["promote", None, "", "Check", ["check"]], ids=json.dumps)
def test_a_client_announces_nothing_but_checks(act: object, world: World) -> None:
    error = refusal(world, signed(of_kind("intent", {"act": act}, **now(world))))
    assert error.code == "not-for-clients"
    assert str(error) == f"an intent of the act {act!r} is not taken from a client"
    assert error.hint == "a client announces its own checks (act: check); what a server is about to do it says itself"


def test_a_result_that_nobody_trusted_signed_is_refused_and_says_who_is(world: World) -> None:
    error = refusal(world, signed(told(world), "colleague"))
    assert (error.code, str(error)) == (
        "untrusted",
        "nobody whom the applied policy trusts for a check-result signed it: the policy trusts pipeline",
    )
    assert error.hint == (
        "sign as one of them (--as, AIMS_SIGNER), or apply an aims.yaml that names the signer under trust: check-result"
    )


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (Term(end=NOW - HOUR), "and the key ended at 2026-11-21T19:31:34.123Z"),
        (Term(start=NOW + HOUR), "and the key is valid from 2026-11-21T21:31:34.123Z on"),
        (Term(revoked=Revocation(NOW - HOUR, "superseded")), "and the key was revoked at 2026-11-21T19:31:34.123Z"),
        (Term(revoked=Revocation(NOW + HOUR, "compromised")), "no outside anchor before the key was revoked"),
    ],
)
def test_a_key_that_is_not_in_force_hands_nothing_in(term: Term, said: str, world: World) -> None:
    services = world.services
    someone = [replace(one, keys=tuple(replace(k, term=term) for k in one.keys)) for one in services.project.people]
    services = replace(services, project=replace(services.project, people=tuple(someone)))
    with pytest.raises(NotAccepted, match="the signature of pipeline does not count: ") as caught:
        hand_in(intake(world, services=lambda: services), signed(told(world)).to_bytes())

    assert caught.value.code == "untrusted"
    assert said in str(caught.value)
    assert caught.value.hint == "sign with a key that is in force, and with a clock that is right: aims keys trust"
    assert not list(world.store.leaves())


def test_a_statement_signed_before_it_was_measured_is_refused(world: World) -> None:
    error = refusal(world, signed(told(world, signed_at=world.now - timedelta(minutes=6))))

    assert str(error) == "the signature of pipeline does not count: signed before it was measured"


def test_a_key_event_is_taken_from_whom_the_policy_trusts_for_it(world: World) -> None:
    world.put_policy(world.trusting(key_event=["officer"]))
    body = {"act": "revoke", "person": "pipeline", "key": "sha256:" + "0" * 64, "reason": "lost"}
    nothing = {"model": None, "version": None, "version_created_at": None, "system": None, "policy_digest": None}
    assert refusal(world, signed(of_kind("key-event", body, **now(world, **nothing)), "owner")).code == "untrusted"

    hand_in(intake(world), signed(of_kind("key-event", body, **now(world, **nothing)), "officer").to_bytes())

    assert len(list(world.store.leaves())) == 1


def test_an_envelope_whose_payload_was_changed_is_refused(world: World) -> None:
    whole = signed(told(world, nonce="n1"))
    forged = Envelope(told(world, nonce="n2").to_bytes(), whole.signatures)
    assert refusal(world, forged).code == "untrusted"


def test_a_statement_of_another_registry_is_refused(world: World) -> None:
    here = world.store.registry_id()
    error = refusal(world, signed(told(world, registry_id="6f2c1f1e-0a44-4d5e-9f0a-3f3b1f2a7c11")))
    assert (error.code, str(error)) == (
        "another-registry",
        f"it is about the registry 6f2c1f1e-0a44-4d5e-9f0a-3f3b1f2a7c11, and this is {here}",
    )
    assert error.hint == (
        "evidence does not move between registries: point AIMS_STORE at this server, and aims check again"
    )


@pytest.mark.parametrize(("field", "word"), [("measured_at", "measured"), ("signed_at", "signed")])
def test_a_time_that_lies_ahead_is_refused(field: str, word: str, world: World) -> None:
    ahead = {field: NOW + timedelta(minutes=20)}
    error = refusal(world, signed(told(world, **ahead)))
    assert (error.code, str(error)) == (
        "from-the-future",
        f"it was {word} at 2026-11-21T20:51:34.123Z, 20 minutes from now",
    )
    assert error.hint == "set the clock of the machine that signs (or this server's), then check and sign again"


def test_clocks_that_differ_by_less_than_five_minutes_are_let_pass(world: World) -> None:
    hand_in(intake(world), signed(told(world, signed_at=NOW + timedelta(minutes=4))).to_bytes())


def test_an_old_signature_that_never_arrived_is_refused_so_that_it_does_not_become_the_newest(world: World) -> None:
    error = refusal(world, signed(told(world, signed_at=NOW - timedelta(hours=3))))
    assert (error.code, str(error)) == (
        "too-late",
        "it was signed 3 hours ago, and is taken for 1 hour only: an old result must not become the newest one",
    )
    assert error.hint == (
        "aims check again (or sign the record anew); see that the clock of the signing machine is right"
    )


def test_a_system_that_the_applied_configuration_does_not_have_is_refused(world: World) -> None:
    error = refusal(world, signed(told(world, system="churn")))
    assert (error.code, str(error)) == (
        "unknown-system",
        "the applied configuration has no system 'churn'; it has income",
    )
    assert error.hint == "read the newest aims.yaml that was applied, aims check again, and hand that in"


def test_a_system_that_does_not_claim_the_model_is_refused(world: World) -> None:
    world.systems = (system(), system(policy(system="churn"), id="churn", models=("churn",)))
    world.registry.add("churn", "1")
    error = refusal(world, signed(told(world, model="churn", version="1")))
    assert (error.code, str(error)) == (
        "unknown-system",
        "system income does not claim the model 'churn', which belongs to churn in the applied configuration",
    )


def test_a_version_that_the_registry_does_not_have_is_refused(world: World) -> None:
    error = refusal(world, signed(told(world, version="7")))
    assert (error.code, str(error)) == (
        "unknown-version",
        "the registry of this server does not give income/7 in the workspace 'default': income/7 is not known",
    )
    assert error.hint == "register the version with this server, then aims check it"


def test_a_name_that_no_registry_could_hold_is_refused(world: World) -> None:
    error = refusal(world, signed(told(world, model="income ", system=None)))
    assert error.code == "unknown-version"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"workspace": "team-b"}, "of the workspace 'team-b', made at 2026-11-19T20:31:34.123Z"),
        ({"version_created_at": CREATED - timedelta(days=1)}, "of the workspace 'default', made at 2026-11-18T"),
    ],
    ids=["another workspace", "deleted and made again"],
)
def test_another_version_of_the_same_number_is_refused(changes: dict[str, Any], says: str, world: World) -> None:
    error = refusal(world, signed(told(world, **changes)))
    assert error.code == "another-version"
    assert f"it is about income/3 {says}" in str(error)
    assert "; here is income/3 of 'default', made at 2026-11-19T20:31:34.123Z" in str(error)
    assert error.hint == "a number that is used again is another version: aims check income/3"


def test_the_look_up_happens_in_the_workspace_of_the_statement(world: World) -> None:
    entered: list[str] = []

    def within(workspace: str) -> Any:
        entered.append(workspace)
        return nullcontext()

    hand_in(intake(world, within=within), signed(told(world)).to_bytes())
    assert entered == ["default"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": None}, "statement: a time of creation without a version"),
        ({"version_created_at": None}, "statement: a version without model or time of creation"),
        ({"model": None}, "statement: a version without model or time of creation"),
    ],
    ids=["a time without a version", "a version without time", "a version without model"],
)
def test_half_an_identity_is_refused(changes: dict[str, Any], says: str, world: World) -> None:
    error = refusal(world, signed(told(world, **changes)))
    assert (error.code, str(error)) == ("malformed", says)


def envelope_of(payload: bytes, **changes: Any) -> bytes:
    wire = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": "AAAA"}],
    }
    return json.dumps(wire | changes).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "envelope: not strict JSON (JSONDecodeError)"),
        (b"\xff\xfe{\x00}\x00", "envelope: not strict JSON (UnicodeDecodeError)"),
        (b'{"payload": "", "payload": ""}', "envelope: not strict JSON (ValueError)"),
        (b"[" * 100_000, "envelope: not strict JSON (RecursionError)"),
        (b"[]", "envelope: expected payload, payloadType and signatures"),
        (envelope_of(b"{}", payloadType="text/plain"), "envelope: payload type is not application/vnd.in-toto+json"),
        (envelope_of(b"{}", signatures=[]), "envelope: no signature"),
        (envelope_of(b"{}", signatures=[{"sig": "AAAA"}] * 17), "envelope: 17 signatures, more than 16"),
        (envelope_of(b"{ }"), "statement: not in canonical form (RFC 8785)"),
        (envelope_of(b"{}"), "statement: KeyError: '_type'"),
    ],
    ids=["nothing", "UTF-16", "a key twice", "deep", "a list", "another type", "unsigned", "many", "blanks", "empty"],
)
def test_what_is_not_an_envelope_of_ours_is_refused(content: bytes, says: str, world: World) -> None:
    error = refusal(world, content)
    assert (error.code, str(error)) == ("malformed", says)
    assert error.hint == "send one DSSE envelope as our client signs it (docs/predicates); it is read strictly"


def test_a_large_envelope_is_refused_before_it_is_parsed(world: World) -> None:
    error = refusal(world, b" " * (MAX_ENVELOPE + 1))
    assert (error.code, str(error)) == ("too-large", "the envelope has 16000001 bytes, more than 16000000")


def test_without_an_applied_configuration_nothing_but_a_configuration_is_taken(world: World) -> None:
    def none() -> Services:
        raise CannotDecide("no configuration is in force", hint="aims apply")

    empty = intake(world, services=none)
    with pytest.raises(CannotDecide, match="no configuration is in force"):
        hand_in(empty, signed(told(world)).to_bytes())
    hand_in(empty, signed(configuration(world), "administrator").to_bytes())


def configuration(world: World, **changes: Any) -> Statement:
    packed = Bundle({"aims.yaml": b"organisation: Example"})
    body = PolicyBody(1, None, packed.digest, packed.digests, {}).to_wire() | changes
    nothing = {"model": None, "version": None, "version_created_at": None, "system": None, "policy_digest": None}
    told_by: Header = header(datasets=(), **now(world), **nothing)
    return Statement("policy", packed.digest, told_by, body, subject_name=SUBJECT)


def test_a_configuration_is_taken_from_an_administrator_alone(world: World) -> None:
    world.put_policy(world.trusting(policy=["owner"]))  # whom aims.yaml trusts does not matter
    error = refusal(world, signed(configuration(world), "owner"))
    assert (error.code, str(error)) == (
        "untrusted",
        "no administrator whose key this server was started with signed this configuration",
    )
    assert error.hint == "sign with the key of one of --admin-keys (AIMS_ADMIN_KEYS)"
    hand_in(intake(world), signed(configuration(world), "administrator").to_bytes())
    assert len(list(world.store.leaves())) == 1


def test_a_configuration_of_another_form_or_registry_is_refused(world: World) -> None:
    assert refusal(world, signed(configuration(world, sequence=0), "administrator")).code == "malformed"
    made = configuration(world)
    elsewhere = replace(made, header=replace(made.header, registry_id="another"))
    assert refusal(world, signed(elsewhere, "administrator")).code == "another-registry"


def test_a_text_is_kept_by_its_own_digest_alone(world: World) -> None:
    keep_blob(world.store, Digest.of(b"manifest"), b"manifest")
    assert world.store.blob(Digest.of(b"manifest")) == b"manifest"
    with pytest.raises(NotAccepted) as caught:
        keep_blob(world.store, Digest.of(b"manifest"), b"another")
    assert caught.value.code == "mismatched"
    assert str(caught.value) == f"the text has the digest {Digest.of(b'another')}, not {Digest.of(b'manifest')}"
    assert world.store.blob(Digest.of(b"another")) is None


def test_a_large_text_is_refused(world: World) -> None:
    with pytest.raises(NotAccepted) as caught:
        keep_blob(world.store, Digest.of(b"manifest"), b" " * (MAX_BLOB + 1))
    assert (caught.value.code, str(caught.value)) == ("too-large", "the text has 16000001 bytes, more than 16000000")


def test_a_signature_among_others_suffices(world: World) -> None:
    payload = told(world).to_bytes()
    stranger = sign_bytes(payload, ("stranger",)).signatures
    own = key("pipeline").sign(pae(payload))
    both = Envelope(payload, (*stranger, Signature("a hint that says nothing", own)))
    hand_in(intake(world), both.to_bytes())


def test_a_store_that_is_away_is_its_own_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    content = signed(told(world)).to_bytes()

    def full(_entry: object) -> StoredLeaf:
        raise StoreError("the disk is full")

    monkeypatch.setattr(world.store, "append", full)
    with pytest.raises(StoreError, match="the disk is full"):
        hand_in(intake(world), content)


# Waivers


def asking(world: World, **changes: Any) -> Statement:
    return waiver_request(failing(), **now(world, **changes))


def answering(world: World, act: str, request: Statement, **changes: Any) -> Statement:
    return waiver_answer(act, request, **now(world, **changes))


def test_a_waiver_is_asked_for_by_anybody_in_the_register_and_approved_by_who_is_trusted(world: World) -> None:
    request = asking(world)
    hand_in(intake(world), signed(request, "owner").to_bytes())
    hand_in(intake(world), signed(answering(world, "approve", request), "officer").to_bytes())
    assert len(list(world.store.leaves())) == 2


def test_an_approval_of_ones_own_request_is_kept_for_the_gate_to_pass_over(world: World) -> None:
    request = asking(world)
    hand_in(intake(world), signed(request, "officer").to_bytes())
    hand_in(intake(world), signed(answering(world, "approve", request), "officer").to_bytes())
    assert len(list(world.store.leaves())) == 2


def test_a_refused_attempt_is_kept(world: World) -> None:
    body = Refused("approve", "self-approval", "asked for it").to_wire()
    hand_in(intake(world), signed(of_kind("waiver", body, **now(world)), "pipeline").to_bytes())
    unknown = {"version": None, "version_created_at": None, "model": None, "system": None, "policy_digest": None}
    hand_in(intake(world), signed(of_kind("waiver", body, **now(world, **unknown)), "owner").to_bytes())
    assert len(list(world.store.leaves())) == 2


@pytest.mark.parametrize("act", ["request", "revoke"])
def test_what_a_stranger_says_of_waivers_is_not_taken(act: str, world: World) -> None:
    request = asking(world)
    hand_in(intake(world), signed(request, "owner").to_bytes())
    said = asking(world, nonce="stranger's") if act == "request" else answering(world, act, request)
    error = refusal(world, signed(said, "stranger"))
    assert (error.code, str(error)) == (
        "untrusted",
        "nobody in the register of the applied configuration signed this waiver",
    )
    assert error.hint == "sign as an active person of aims.yaml (--as), with a key that is enrolled there"


def test_an_approval_by_who_is_not_trusted_for_waivers_is_not_taken(world: World) -> None:
    request = asking(world)
    hand_in(intake(world), signed(request, "officer").to_bytes())
    error = refusal(world, signed(answering(world, "approve", request), "owner"))
    assert (error.code, str(error)) == (
        "untrusted",
        "nobody whom the applied policy trusts for a waiver signed it: the policy trusts officer, colleague",
    )


def test_a_revocation_is_taken_from_those_who_may_revoke(world: World) -> None:
    request = asking(world)
    hand_in(intake(world), signed(request, "officer").to_bytes())
    error = refusal(world, signed(answering(world, "revoke", request), "pipeline"))
    assert (error.code, str(error)) == (
        "untrusted",
        "a waiver is revoked by colleague, officer, owner, and none of them signed this",
    )
    hand_in(intake(world), signed(answering(world, "revoke", request), "owner").to_bytes())
    assert len(list(world.store.leaves())) == 2


@pytest.mark.parametrize("act", ["approve", "revoke"])
def test_an_answer_to_no_request_of_the_log_about_these_files_is_not_taken(act: str, world: World) -> None:
    request = asking(world)
    absent = refusal(world, signed(answering(world, act, request), "officer"))
    hand_in(intake(world), signed(request, "owner").to_bytes())
    hand_in(intake(world), signed(told(world)).to_bytes())
    elsewhere = refusal(world, signed(answering(world, act, request, subject=Digest.of(b"others")), "officer"))
    no_request = refusal(world, signed(answering(world, act, told(world)), "officer"))
    assert [error.code for error in (absent, elsewhere, no_request)] == ["mismatched"] * 3
    short = Digest.of(request.to_bytes()).short
    assert str(elsewhere) == f"the log has no request {short} about these files"


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({}, {}),
        ({"act": "grant"}, {}),
        ({"act": "request", "requirement": "parity"}, {}),
        ({"act": "approve", "request": "sha256:"}, {}),
        ({"act": "approve", "request": "sha256:" + "0" * 64, "reason": ""}, {"version": None}),
    ],
    ids=["nothing", "another act", "half a request", "half a digest", "no version"],
)
def test_a_waiver_of_another_form_is_not_taken(body: dict[str, Any], changes: dict[str, Any], world: World) -> None:
    changes = {**changes, "version_created_at": None} if changes else {}
    world.put_policy(world.trusting(waiver=["owner", "officer"]))
    error = refusal(world, signed(of_kind("waiver", body, **now(world, **changes)), "owner"))
    assert (error.code, error.exit_code) == ("malformed", ExitCode.UNVERIFIED)
    assert str(error).startswith("waiver: ")


def test_a_waiver_signed_long_ago_or_of_another_registry_is_not_taken(world: World) -> None:
    old = asking(world, signed_at=world.now - timedelta(hours=2))
    elsewhere = asking(world, registry_id="another")
    assert refusal(world, signed(old, "owner")).code == "too-late"
    assert refusal(world, signed(elsewhere, "owner")).code == "another-registry"
