"""The reconciler over a real store and a registry that does what it is told: every way round the gate is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.api.locking import lock_name
from aims_mlops.errors import ExitCode, FilesGone, RegistryError, SigningError, VerificationError
from aims_mlops.model.bypass import Word
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Promotion
from aims_mlops.model.subject import ModelRef, ModelVersion, Target
from aims_mlops.model.trust import Revocation, Term
from tests.api.world import FakeRegistry, World
from tests.builders import CHAMPION, CREATED, check_spec, policy, system

LIVE = Target("stage", "Production")
NAME = Target("name", "prod.income")
OTHER = b"other files"


@dataclass
class LiveRegistry(FakeRegistry):
    """Aliases, stages and copies come to stand where they are put, by whomever."""

    broken: dict[str, Exception] | None = None
    refuses: bool = False

    def manifest(self, version: ModelVersion) -> bytes:
        if self.broken and version.label in self.broken:
            raise self.broken[version.label]
        return super().manifest(version)

    def change(self, label: str, **changes: Any) -> None:
        version, files = self.held[label]
        self.held[label] = replace(version, **changes), files

    def put(self, label: str, target: Target) -> None:
        """Do it behind everybody's back."""
        if target.kind == "stage":
            self.change(label, stage=target.value)
            return
        for other, (version, _) in self.held.items():
            if version.name == label.partition("/")[0]:
                left = tuple(alias for alias in version.aliases if alias != target.value)
                self.change(other, aliases=(*left, target.value) if other == label else left)

    def act(self, version: ModelVersion, target: Target) -> None:
        if self.refuses:
            raise RegistryError("the registry is read-only")
        super().act(version, target)
        if target.kind == "name":
            number = 1 + sum(held.name == target.value for held, _ in self.held.values())
            label = self.add(target.value, str(number), self.held[version.label][1])
            self.change(label, source=f"models:/{version.label}", created_at=CREATED + timedelta(hours=number))
            return
        self.put(version.label, target)

    def remove(self, version: ModelVersion, target: Target) -> None:
        if self.refuses:
            raise RegistryError("the registry is read-only")
        super().remove(version, target)
        held = self.held[version.label][0]
        if target.kind == "stage":
            self.change(version.label, stage=None)
        else:
            self.change(version.label, aliases=tuple(alias for alias in held.aliases if alias != target.value))


@pytest.fixture
def live(world: World) -> World:
    """income/3 is checked and champion; income/4 has other files and was never looked at."""
    world.registry = LiveRegistry()
    world.registry.add("income", "3")
    world.registry.add("income", "4", OTHER)
    promote(world, "income/3")
    return world


def registry(world: World) -> LiveRegistry:
    assert isinstance(world.registry, LiveRegistry)
    return world.registry


def promote(world: World, label: str, target: Target = CHAMPION) -> None:
    ref = ModelRef.parse(label)
    api.check(world.services, ref)
    api.promote(world.services, ref, target, reason="release")


def words(report: api.WatchReport) -> list[str]:
    return [found.word.value for found in report.findings]


def kinds(world: World) -> list[str]:
    return [row.kind for row in api.list_evidence(world.services)]


def holders(world: World, target: Target) -> list[str]:
    standing = world.registry.standing("x", names=lambda _: True)
    return [item.version.label for item in standing if item.target == target]


def test_what_was_promoted_and_stands_unchanged_is_found_good(live: World) -> None:
    promote(live, "income/3", LIVE)
    promote(live, "income/3", NAME)
    before = kinds(live)
    report = api.watch(live.services)
    assert (words(report), report.faults, report.notes, report.notices) == ([], (), (), ())
    assert (report.exit_code, report.looked) == (ExitCode.OK, 6)
    assert kinds(live) == before, "a look that finds nothing writes nothing"


def test_an_empty_registry_beside_an_empty_log_is_not_green(world: World) -> None:
    report = api.watch(world.services)
    assert (report.looked, report.exit_code) == (0, ExitCode.NOTHING)


def by_alias(world: World) -> None:
    registry(world).put("income/4", CHAMPION)


def by_stage(world: World) -> None:
    registry(world).put("income/4", LIVE)


def by_new_alias_spelling(world: World) -> None:
    registry(world).put("income/4", Target("alias", "Champion"))


def by_look_alike(world: World) -> None:
    registry(world).put("income/4", Target("alias", "ch\u0430mpion"))


def by_look_alike_name(world: World) -> None:
    registry(world).add("pr\u043ed.income", "1", OTHER)


def by_unclaimed(world: World) -> None:
    registry(world).add("nobodys", "1", OTHER)
    registry(world).put("nobodys/1", CHAMPION)


def by_insert_into_name(world: World) -> None:
    registry(world).add("prod.income", "1", OTHER)


def by_recreation(world: World) -> None:
    registry(world).change("income/3", created_at=CREATED + timedelta(days=1))


def by_moving(world: World) -> None:
    registry(world).change("income/3", workspace="other")


def by_overwriting(world: World) -> None:
    version, _ = world.registry.held["income/3"]
    world.registry.held["income/3"] = version, OTHER


def by_a_link_among_the_files(world: World) -> None:
    registry(world).broken = {"income/3": VerificationError("'a' in the model's folder is a link")}


def by_deleting_the_files(world: World) -> None:
    registry(world).broken = {"income/3": FilesGone("the files of income/3 are not at /a")}


def by_deleting_the_alias(world: World) -> None:
    registry(world).change("income/3", aliases=())


def by_deleting_the_version(world: World) -> None:
    del world.registry.held["income/3"]


BYPASSES = [
    pytest.param(by_alias, Word.SUPERSEDED, "income/4 holds champion", "income/3 was promoted to champion", id="alias"),
    pytest.param(by_stage, Word.UNRECORDED, "income/4 holds stage:Production", "no promotion of it", id="stage"),
    pytest.param(by_new_alias_spelling, Word.UNRECORDED, "income/4 holds Champion", "no promotion of it", id="case"),
    pytest.param(by_look_alike, Word.LOOK_ALIKE, "income/4 holds", "can be taken for it", id="look-alike"),
    pytest.param(by_look_alike_name, Word.LOOK_ALIKE, "lies in", "can be taken for it", id="look-alike name"),
    pytest.param(by_unclaimed, Word.UNCLAIMED, "nobodys/1 holds champion", "no system of the register", id="unclaimed"),
    pytest.param(by_insert_into_name, Word.STRAY, "prod.income/1 lies in prod.income", "nothing like it", id="stray"),
    pytest.param(by_recreation, Word.RECREATED, "income/3 holds champion", "this one is newer", id="recreated"),
    pytest.param(by_moving, Word.MOVED, "income/3 holds champion", "in workspace default", id="workspace"),
    pytest.param(by_overwriting, Word.CHANGED, "income/3 holds champion", "and the files are", id="files"),
    pytest.param(by_a_link_among_the_files, Word.CHANGED, "income/3 holds champion", "is a link", id="link"),
    pytest.param(by_deleting_the_files, Word.GONE, "income/3 holds champion", "are not at /a", id="gone"),
    pytest.param(by_deleting_the_alias, Word.ABSENT, "nothing of income holds", "no removal is recorded", id="removed"),
    pytest.param(by_deleting_the_version, Word.ABSENT, "nothing of income holds", "no removal", id="deleted"),
]


@pytest.mark.parametrize(("bypass", "word", "seen", "logged"), BYPASSES)
def test_a_way_round_the_gate_is_found_signed_and_recorded_once(
    live: World, bypass: Callable[[World], None], word: Word, seen: str, logged: str
) -> None:
    bypass(live)
    first = api.watch(live.services)
    (found,) = first.findings
    assert (found.word, first.exit_code) == (word, ExitCode.UNVERIFIED)
    assert seen in found.seen
    assert logged in found.logged
    assert found.hint
    assert found.fresh
    assert found.evidence is not None
    statement = api.show(live.services, str(found.evidence))["predicate"]
    assert (statement["word"], statement["to"], statement["finding"]) == (word.value, found.target.to_wire(), found.id)
    assert (statement["header"]["model"], statement["header"]["version"]) == (found.version.name, found.version.version)
    after = kinds(live)
    second = api.watch(live.services)
    assert [(again.id, again.evidence, again.fresh) for again in second.findings] == [(found.id, found.evidence, False)]
    assert second.exit_code == ExitCode.UNVERIFIED
    assert kinds(live) == after
    assert api.verify(live.services).exit_code == ExitCode.OK


PUT_BACK = {by_alias: "put back to income/3", by_stage: "taken away from income/4"}
PUT_BACK |= {by_new_alias_spelling: "taken away from income/4", by_look_alike: "taken away from income/4"}
PUT_BACK |= dict.fromkeys((by_recreation, by_moving, by_overwriting), "taken away from income/3")
PUT_BACK |= dict.fromkeys((by_a_link_among_the_files, by_deleting_the_files), "taken away from income/3")


@pytest.mark.parametrize(("bypass", "done"), PUT_BACK.items(), ids=lambda value: getattr(value, "__name__", None))
def test_enforcing_puts_back_what_was_promoted_or_takes_away_what_was_not(
    live: World, bypass: Callable[[World], None], done: str
) -> None:
    bypass(live)
    report = api.watch(live.services, enforce=True)
    assert [found.done for found in report.findings] == [done]
    assert report.exit_code == ExitCode.UNVERIFIED
    wanted = ["income/3"] if bypass in (by_alias, by_stage, by_new_alias_spelling, by_look_alike) else []
    assert holders(live, CHAMPION) == wanted
    assert "income/4" not in [label for target in (LIVE, CHAMPION) for label in holders(live, target)]
    decided = [row for row in api.list_evidence(live.services) if row.kind == "gate-decision"][-1]
    body = api.show(live.services, str(decided.digest))["predicate"]
    assert body["act"] == ("restore" if done.startswith("put back") else "remove")
    assert body["enforcedBy"] == "watch"
    assert body["requirements"][0]["evidence"] == report.findings[0].evidence
    # A champion that was carried off into another workspace stays missing where it was promoted.
    left = ["absent"] if bypass is by_moving else []
    assert words(api.watch(live.services, enforce=True)) == left


@pytest.mark.parametrize(
    ("bypass", "done"),
    [
        (by_deleting_the_alias, "nothing: what was taken away is not made live again unasked"),
        (by_insert_into_name, "nothing: a version cannot be moved out of a name; delete it by hand"),
        (by_look_alike_name, "nothing: a version cannot be moved out of a name; delete it by hand"),
        (by_unclaimed, "nothing: no system of the register claims the model"),
    ],
)
def test_what_cannot_be_put_back_is_left_and_said(live: World, bypass: Callable[[World], None], done: str) -> None:
    bypass(live)
    acted = list(live.registry.acted)
    report = api.watch(live.services, enforce=True)
    assert [found.done for found in report.findings] == [done]
    assert live.registry.acted == acted


def test_a_champion_that_was_put_back_and_then_moved_away_is_one_finding(live: World) -> None:
    by_alias(live)
    api.watch(live.services, enforce=True)
    by_moving(live)
    assert words(api.watch(live.services)) == ["moved"]


def test_the_same_attack_after_it_was_put_back_is_another_finding(live: World) -> None:
    by_alias(live)
    first = api.watch(live.services, enforce=True)
    by_alias(live)
    second = api.watch(live.services, enforce=True)
    assert first.findings[0].id != second.findings[0].id
    assert second.findings[0].fresh
    assert kinds(live).count("bypass-finding") == 2
    assert holders(live, CHAMPION) == ["income/3"]


def test_an_older_champion_comes_back_where_the_newest_one_was_tampered_with(live: World) -> None:
    promote(live, "income/4")
    version, _ = live.registry.held["income/4"]
    live.registry.held["income/4"] = version, b"poisoned"
    report = api.watch(live.services, enforce=True)
    assert [(found.word, found.done) for found in report.findings] == [(Word.CHANGED, "put back to income/3")]
    assert holders(live, CHAMPION) == ["income/3"]
    assert words(api.watch(live.services)) == []


def test_what_was_taken_away_on_purpose_is_not_put_back(live: World) -> None:
    version = live.registry.held["income/3"][0]
    with api_removal(live):
        registry(live).remove(version, CHAMPION)
    assert words(api.watch(live.services)) == []
    by_alias(live)
    report = api.watch(live.services, enforce=True)
    assert [(found.word, found.done) for found in report.findings] == [(Word.REMOVED, "taken away from income/4")]
    assert holders(live, CHAMPION) == []


def api_removal(world: World) -> Any:
    from aims_mlops.api.removing import Removal, removal

    return removal(lambda: world.services, Removal("income", ("3",), CHAMPION), say=pytest.fail)


def test_a_removal_that_is_undone_behind_the_log_is_found(live: World) -> None:
    version = live.registry.held["income/3"][0]
    with api_removal(live):
        registry(live).remove(version, CHAMPION)
    registry(live).put("income/3", CHAMPION)
    (found,) = api.watch(live.services).findings
    assert (found.word, "was taken away from champion" in found.logged) == (Word.REMOVED, True)


def test_several_versions_may_be_in_a_stage_when_each_was_promoted(live: World) -> None:
    promote(live, "income/3", LIVE)
    promote(live, "income/4", LIVE)
    assert words(api.watch(live.services)) == []
    live.registry.add("income", "5", b"never looked at")
    registry(live).put("income/5", LIVE)
    report = api.watch(live.services, enforce=True)
    assert [found.done for found in report.findings] == ["taken away from income/5"]
    assert holders(live, LIVE) == ["income/3", "income/4"]


def test_a_version_swapped_in_a_stage_is_swapped_back(live: World) -> None:
    promote(live, "income/3", LIVE)
    registry(live).change("income/3", stage=None)
    registry(live).put("income/4", LIVE)
    report = api.watch(live.services, enforce=True)
    assert sorted(words(report)) == ["absent", "unrecorded"]
    assert report.findings[0].done == "taken away from income/4, put back to income/3"
    assert holders(live, LIVE) == ["income/3"]


def test_a_copy_in_a_protected_name_is_known_by_its_bytes(live: World) -> None:
    promote(live, "income/3", NAME)
    assert words(api.watch(live.services)) == []
    version, _ = live.registry.held["prod.income/1"]
    live.registry.held["prod.income/1"] = version, OTHER
    (found,) = api.watch(live.services).findings
    assert (found.word, found.digest) == (Word.CHANGED, Digest.of(OTHER))


def test_a_name_that_lost_its_version_is_found(live: World) -> None:
    promote(live, "income/3", NAME)
    del live.registry.held["prod.income/1"]
    (found,) = api.watch(live.services).findings
    assert (found.word, found.seen) == (Word.ABSENT, "prod.income holds no version")


def forge(world: World, **changes: Any) -> None:
    """Write a promotion of income/4, and a decision before it, with some things changed."""
    decision = {"act": "promote", "to": {"alias": "champion"}, "on": None, "verdict": "allowed", "enforcedBy": "client"}
    signer, world.person = world.person, changes.pop("decided_by", world.person)
    version = changes.pop("decided_about", "4")
    digest = world.say("gate-decision", {**decision, **changes.pop("decision", {})}, version=version)
    world.person = changes.pop("promoted_by", signer)
    body = {"to": {"alias": "champion"}, "on": None, "decision": digest, "asked": None, "reason": ""}
    world.say("promotion", {**body, **changes}, version="4")
    world.person = signer
    registry(world).put("income/4", CHAMPION)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"decision": None}, "rests on a decision that is not in the log", id="none"),
        pytest.param({"decision": {"verdict": "denied"}}, "which says denied", id="denied"),
        pytest.param({"decided_by": "colleague"}, "which is not signed by anyone trusted for it", id="untrusted"),
        pytest.param({"decided_about": "3"}, "which is about something else", id="other version"),
        pytest.param({"decision": {"to": {"alias": "other"}}}, "which is about something else", id="other target"),
        pytest.param({"decision": {"act": "remove"}}, "which is about something else", id="no promotion"),
    ],
)
def test_a_promotion_that_rests_on_nothing_proves_nothing(live: World, changes: dict[str, Any], says: str) -> None:
    if changes == {"decision": None}:
        body = {"to": {"alias": "champion"}, "decision": str(Digest.of(b"nowhere"))}
        live.say("promotion", body, version="4")
        registry(live).put("income/4", CHAMPION)
    else:
        forge(live, **changes)
    (found,) = api.watch(live.services).findings
    assert (found.word, says in found.logged) == (Word.UNPROVED, True), found.logged
    report = api.watch(live.services, enforce=True)
    assert holders(live, CHAMPION) == ([] if changes == {"decision": {"act": "remove"}} else ["income/3"]), report


def test_a_forgery_is_one_where_the_honest_thing_would_pass(live: World) -> None:
    forge(live)
    assert words(api.watch(live.services)) == []


def test_a_promotion_that_nobody_trusted_signed_counts_for_nothing(live: World) -> None:
    forge(live, promoted_by="colleague")
    (found,) = api.watch(live.services).findings
    assert (found.word, "income/3 was promoted" in found.logged) == (Word.SUPERSEDED, True)


def test_a_first_promotion_that_nobody_trusted_signed_is_named(live: World) -> None:
    live.person = "colleague"
    live.say("promotion", {"to": {"stage": "Production"}, "on": None, "decision": None}, version="4")
    live.person = "pipeline"
    by_stage(live)
    (found,) = api.watch(live.services).findings
    assert (found.word, "not signed by anyone trusted" in found.logged) == (Word.UNPROVED, True)


def test_beside_a_server_a_decision_of_a_client_does_not_count(live: World) -> None:
    (found,) = api.watch(live.services, servers=("pipeline",)).findings
    assert (found.word, "which a client took" in found.logged) == (Word.UNPROVED, True)
    forge(live, decision={"enforcedBy": "server"})
    assert words(api.watch(live.services, servers=("pipeline",))) == []
    (found,) = api.watch(live.services, servers=("officer",)).findings
    assert (found.word, "which is not the server's own" in found.logged) == (Word.UNPROVED, True)


def test_beside_a_server_a_model_that_nobody_claims_is_free_unless_it_is_said(live: World) -> None:
    forge(live, decision={"enforcedBy": "server"})
    by_unclaimed(live)
    assert words(api.watch(live.services, servers=("pipeline",))) == []
    assert words(api.watch(live.services, servers=("pipeline",), unclaimed="refuse")) == ["unclaimed"]


def test_files_that_could_not_be_read_accuse_nobody_and_move_nothing(live: World) -> None:
    registry(live).broken = {"income/3": RegistryError("the registry does not answer")}
    before = kinds(live)
    report = api.watch(live.services, enforce=True)
    (found,) = report.findings
    assert (found.word, report.exit_code, found.evidence) == (Word.UNREADABLE, ExitCode.UNDECIDED, None)
    assert found.done == "nothing: the files could not be read"
    assert holders(live, CHAMPION) == ["income/3"]
    assert kinds(live) == before


def test_a_registry_that_is_away_is_no_answer(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> Any:
        raise RegistryError("the registry does not answer")

    monkeypatch.setattr(live.registry, "standing", away)
    with pytest.raises(RegistryError):
        api.watch(live.services)


def test_a_damaged_log_is_said_and_nothing_is_put_back_from_it(live: World) -> None:
    by_alias(live)
    with live.store._database.engine.begin() as connection:
        connection.exec_driver_sql("delete from aims_envelope where rowid = 1")
    report = api.watch(live.services, enforce=True)
    assert [fault.kind for fault in report.faults] == ["hole"]
    assert report.exit_code == ExitCode.UNVERIFIED
    assert [found.done for found in report.findings] == ["nothing: the log does not hold"]
    assert holders(live, CHAMPION) == ["income/4"]


def test_an_alias_is_not_called_stolen_while_its_promotion_is_being_recorded(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promotion ends while the look waits for its lock."""
    api.check(live.services, ModelRef("income", version="4"))
    lock = live.store.lock
    asked: list[str] = []

    def wait(name: str) -> Any:
        if name == lock_name("income") and not asked:
            asked.append(name)
            api.promote(live.services, ModelRef("income", version="4"), CHAMPION, reason="meanwhile")
        return lock(name)

    by_alias(live)
    monkeypatch.setattr(live.store, "lock", wait)
    report = api.watch(live.services, enforce=True)
    assert asked
    assert words(report) == []
    assert holders(live, CHAMPION) == ["income/4"]
    assert "bypass-finding" not in kinds(live)


def test_while_the_lock_cannot_be_had_nothing_is_put_back(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from aims_mlops.errors import StoreError

    def busy(name: str) -> Any:
        raise StoreError(f"{name} is held")

    by_alias(live)
    monkeypatch.setattr(live.store, "lock", busy)
    report = api.watch(live.services, enforce=True)
    assert words(report) == ["superseded"]
    assert report.notices[0].startswith("a promotion may be under way, so that nothing is recorded or put back")
    assert "bypass-finding" not in kinds(live)
    assert holders(live, CHAMPION) == ["income/4"]


def test_a_registry_that_refuses_is_said_and_tried_again(live: World) -> None:
    by_alias(live)
    registry(live).refuses = True
    first = api.watch(live.services, enforce=True)
    assert first.findings[0].done == "NOT PUT BACK: the registry is read-only"
    before = kinds(live)
    assert api.watch(live.services, enforce=True).findings[0].done.startswith("NOT PUT BACK")
    assert kinds(live) == before, "what fails at every look does not fill the log"
    registry(live).refuses = False
    assert api.watch(live.services, enforce=True).findings[0].done == "put back to income/3"


def test_a_signer_who_is_not_trusted_finds_and_records_nothing(live: World) -> None:
    by_alias(live)
    live.person = "colleague"
    before = kinds(live)
    report = api.watch(live.services)
    assert (words(report), report.exit_code) == (["superseded"], ExitCode.UNVERIFIED)
    assert "not recorded: colleague may not sign a bypass-finding: aims.yaml trusts pipeline" in report.notices[0]
    assert kinds(live) == before
    with pytest.raises(SigningError, match="colleague may not sign a gate-decision"):
        api.watch(live.services, enforce=True)


def test_trust_for_findings_can_be_given_to_somebody_alone(live: World) -> None:
    live.put_policy(live.trusting(bypass_finding=("officer",)))
    by_alias(live)
    assert "aims.yaml trusts officer for it" in api.watch(live.services).notices[0]
    live.person = "officer"
    (found,) = api.watch(live.services).findings
    assert found.evidence is not None


def test_a_champion_whose_evidence_became_stale_is_a_note_and_no_finding(live: World) -> None:
    live.now += timedelta(days=40)
    report = api.watch(live.services)
    assert (words(report), report.exit_code) == ([], ExitCode.OK)
    assert report.notes == ("income/3 holds champion by its promotion; today the gate would say no: parity is stale",)


def test_a_policy_that_protects_nothing_any_more_leaves_nothing_missing(live: World) -> None:
    by_deleting_the_alias(live)
    free = Promotion((), (), ("prod.*",))
    live.systems = (system(policy([check_spec()], promotion=free)),)
    assert words(api.watch(live.services)) == []


def test_an_alias_of_a_copy_is_looked_up_under_the_copy(live: World) -> None:
    promote(live, "income/3", NAME)
    api.promote(live.services, ModelRef("prod.income", version="1"), CHAMPION, reason="copy")
    assert holders(live, CHAMPION) == ["income/3", "prod.income/1"]
    assert words(api.watch(live.services)) == []
    live.registry.add("prod.income", "2", OTHER)
    registry(live).put("prod.income/2", CHAMPION)
    report = api.watch(live.services, enforce=True)
    assert sorted(words(report)) == ["stray", "superseded"]
    assert holders(live, CHAMPION) == ["income/3", "prod.income/1"]
    assert words(api.watch(live.services)) == ["stray"]


def test_what_was_taken_away_stays_so_though_the_key_that_did_it_was_revoked_since(live: World) -> None:
    both = ("pipeline", "officer")
    live.put_policy(live.trusting(gate_decision=both, promotion=both))
    promote(live, "income/3")
    live.person = "officer"
    with api_removal(live):
        registry(live).remove(live.registry.held["income/3"][0], CHAMPION)
    live.person = "pipeline"
    live.terms = {"officer": Term(revoked=Revocation(live.now, "compromised"))}
    by_alias(live)

    report = api.watch(live.services, enforce=True)

    assert [found.done for found in report.findings] == ["taken away from income/4"]
    assert holders(live, CHAMPION) == []
