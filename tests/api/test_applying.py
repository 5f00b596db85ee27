"""`aims apply`: which champions a configuration shuts out, who signs it, and under which number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aims_mlops import api
from aims_mlops.api import ApplyReport, Flip, NotApplied
from aims_mlops.errors import ConfigError, ExitCode, NothingToDo, RegistryError, SigningError
from aims_mlops.evidence.configuration import MAIN
from aims_mlops.model.outcome import Verdict
from aims_mlops.model.subject import ModelRef, Target
from aims_mlops.views.applying import apply_table, apply_wire
from aims_mlops.views.layout import render
from tests.api.configurations import STRICTER, STRICTEST, TEXT, Desk, administrators, bundle
from tests.api.world import World
from tests.builders import key

SAME_RULES = TEXT.replace("Income estimator", "Estimator of incomes")
UNPROTECTED = TEXT.replace("aliases: [champion], ", "aliases: [best], ")


@pytest.fixture
def desk(world: World) -> Desk:
    """income/3 was checked under the configuration that is in force, and is champion."""
    made = Desk(world, world.store)
    made.apply()
    checked(made)
    stands(world, aliases=("champion", "anything"))
    return made


def checked(desk: Desk, text: str = TEXT) -> None:
    api.check(desk.services("pipeline", text), ModelRef("income", version="3"))


def stands(world: World, name: str = "income/3", **changes: object) -> None:
    version, files = world.registry.held[name]
    world.registry.held[name] = replace(version, **changes), files  # type: ignore[arg-type]  # named by the test


def flip(report: ApplyReport, name: str = "income/3", target: str = "champion") -> Flip:
    (found,) = [it for it in report.standing if it.version.label == name and it.target == Target.parse(target)]
    return found


# What flips


def test_a_champion_whose_results_become_stale_is_shown_and_nothing_is_recorded(desk: Desk) -> None:
    before = list(desk.store.leaves())
    report = desk.apply(STRICTER, dry_run=True)
    item = flip(report)
    assert item.before is not None
    assert item.after is not None
    assert (item.before.verdict, item.after.verdict) == (Verdict.ALLOWED, Verdict.DENIED)
    assert (item.flips, item.shuts) == (True, True)
    assert [it.id for it in item.after.blocking] == ["parity"]
    assert (report.statement, report.in_force, report.exit_code) == (None, False, ExitCode.SHUT)
    assert list(desk.store.leaves()) == before
    assert desk.server().current().sequence == 1


def test_only_what_a_configuration_protects_is_judged(desk: Desk) -> None:
    report = desk.apply(STRICTER, dry_run=True)
    assert [str(item.target) for item in report.standing] == ["champion"]


def test_a_change_that_decides_nothing_flips_nothing(desk: Desk) -> None:
    report = desk.apply(SAME_RULES, dry_run=True)
    assert (flip(report).flips, report.exit_code) == (False, ExitCode.OK)


def test_what_was_measured_under_the_new_policy_already_does_not_flip(desk: Desk) -> None:
    checked(desk, STRICTER)
    item = flip(desk.apply(STRICTER, dry_run=True))
    assert item.after is not None
    assert item.after.allowed
    assert item.before is not None  # the newest result is of the new policy: under the old one it is stale
    assert (item.flips, item.shuts) == (True, False)


def test_a_target_that_is_no_longer_protected_is_free_and_one_that_newly_is_is_judged(desk: Desk) -> None:
    stands(desk.world, aliases=("champion", "best"))
    report = desk.apply(UNPROTECTED, dry_run=True)
    assert flip(report).after is None
    newly = flip(report, target="best")
    assert (newly.before, newly.shuts) == (None, True)


def test_stages_and_protected_names_are_judged_too_and_a_copy_by_its_source(desk: Desk) -> None:
    desk.world.registry.add("prod.income", "1")
    stands(desk.world, "prod.income/1", source="models:/income/3")
    stands(desk.world, aliases=(), stage="Production")
    report = desk.apply(STRICTER, dry_run=True)
    assert flip(report, target="stage:Production").shuts
    copy = flip(report, "prod.income/1", "name:prod.income")
    assert copy.before is not None
    assert (copy.before.verdict, copy.before.version.label) == (Verdict.ALLOWED, "income/3")
    assert copy.shuts


def test_a_policy_that_wants_a_user_does_not_shut_out_who_stands_already(desk: Desk) -> None:
    demanding = TEXT.replace('"prod.*"]}', '"prod.*"], authenticated: true}')
    checked(desk, demanding)
    item = flip(desk.apply(demanding, dry_run=True))
    assert item.after is not None
    assert item.after.allowed


def test_the_first_configuration_is_shown_against_nothing(world: World) -> None:
    desk = Desk(world, world.store)
    stands(world, aliases=("champion",))
    report = desk.apply(dry_run=True)
    assert (report.before, report.previous, report.sequence) == (None, None, 1)
    assert (flip(report).before, flip(report).shuts) == (None, True)
    assert apply_wire(report)["standing"][0]["before"] == "unapplied"


def test_a_model_that_nobody_claims_is_free_on_a_server(desk: Desk) -> None:
    desk.world.registry.add("churn", "1")
    stands(desk.world, "churn/1", aliases=("champion",))
    assert [it.version.label for it in desk.apply(STRICTER, dry_run=True).standing] == ["income/3"]
    refusing = desk.apply(TEXT.replace("people:", "unclaimed: refuse\npeople:", 1), dry_run=True)
    assert flip(refusing, "churn/1").shuts


def test_a_registry_that_is_away_stops_it_before_anything_is_signed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(desk.store.leaves())

    def away(*_: object, **__: object) -> object:
        raise RegistryError("the registry is away")

    monkeypatch.setattr(desk.world.registry, "standing", away)
    with pytest.raises(RegistryError, match="is away"):
        desk.apply(STRICTER)
    assert list(desk.store.leaves()) == before


# Signing


def test_the_statement_says_what_was_applied_and_its_files_are_in_the_store(desk: Desk) -> None:
    report = desk.apply(STRICTER)
    packed = bundle(STRICTER)
    statement = api.show(desk.services(), str(report.statement))
    body = statement["predicate"]
    header = body.pop("header")
    assert body == {
        "sequence": 2,
        "previous": bundle().digest,
        "configuration": packed.digest,
        "files": [{"name": name, "digest": digest} for name, digest in packed.digests.items()],
        "systems": {"income": desk.services(text=STRICTER).project.systems[0].policy.digest},
    }
    assert (header["model"], header["version"], header["system"], header["policyDigest"]) == (None, None, None, None)
    assert statement["subject"] == [{"name": "configuration.json", "digest": {"sha256": packed.digest.hex}}]
    assert desk.store.blob(packed.digest) == packed.manifest
    assert all(desk.store.blob(digest) == packed.files[name] for name, digest in packed.digests.items())
    assert (report.signer, report.signatures, report.threshold, report.in_force) == ("officer", 1, 1, True)
    assert report.exit_code == ExitCode.OK  # what is shut out was shown; it was applied all the same


def test_evidence_takes_the_statement_for_verified_where_trust_names_the_signer(desk: Desk) -> None:
    assert api.verify(desk.services()).troubles == ()
    (row,) = [row for row in api.list_evidence(desk.services()) if row.kind == "policy"]
    assert (row.says, row.signer, row.state, row.model) == ("number 1", "officer", "verified", "-")


def test_nothing_is_applied_twice(desk: Desk) -> None:
    for dry_run in (True, False):
        with pytest.raises(NothingToDo, match="number 1 is in force and has exactly these files") as caught:
            desk.apply(dry_run=dry_run)
        assert caught.value.exit_code == ExitCode.NOTHING


def test_a_configuration_with_mistakes_is_not_signed(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="no dataset 'nothing'"):
        api.apply(
            desk.services(),
            bundle(TEXT.replace("data: evaluation", "data: nothing")),
            lambda packed: desk.services(text=packed.files[MAIN].decode()).project,
        )


def test_whoever_is_known_to_be_no_administrator_is_refused(desk: Desk) -> None:
    before = list(desk.store.leaves())
    with pytest.raises(SigningError, match="colleague is no administrator") as caught:
        desk.apply(STRICTER, "colleague", known=administrators("officer"))
    assert caught.value.hint == "sign as an administrator: aims apply --as PERSON"
    assert list(desk.store.leaves()) == before


def test_a_signer_whom_trust_does_not_name_is_warned(desk: Desk) -> None:
    report = desk.apply(STRICTER, "holder", known=administrators("officer", "holder"))
    assert any("trust: policy in aims.yaml does not name holder" in text for text in report.warnings)
    assert desk.server("holder").current().sequence == 2
    assert not any("trust: policy" in text for text in desk.apply(STRICTEST, known=administrators("officer")).warnings)


def test_a_machine_that_does_not_know_the_administrators_says_so(desk: Desk) -> None:
    assert any("AIMS_ADMIN_KEYS is not set here" in text for text in desk.apply(STRICTER).warnings)


def test_two_administrators_sign_the_same_number(world: World) -> None:
    desk, both = Desk(world, world.store), administrators("officer", "colleague", threshold=2)
    first = desk.apply(known=both)
    assert (first.sequence, first.signatures, first.in_force) == (1, 1, False)
    with pytest.raises(NothingToDo, match="officer signed number 1 already: it has 1 of 2 signatures"):
        desk.apply(known=both)
    second = desk.apply(person="colleague", known=both)
    assert (second.sequence, second.signatures, second.in_force) == (1, 2, True)
    applied = desk.server("officer", "colleague", threshold=2).current()
    assert applied.signers == (key("officer").public.id, key("colleague").public.id)
    assert desk.apply(STRICTER, known=both).sequence == 2


def test_proposals_that_compete_take_different_numbers(world: World) -> None:
    desk, both = Desk(world, world.store), administrators("officer", "colleague", threshold=2)
    assert desk.apply(TEXT, "officer", known=both).sequence == 1
    assert desk.apply(STRICTER, "colleague", known=both).sequence == 2
    assert desk.apply(STRICTER, "officer", known=both).in_force
    third = desk.apply(TEXT, "colleague", known=both)
    assert (third.sequence, third.previous) == (3, bundle(STRICTER).digest)  # the first number is past


def test_a_strangers_huge_number_does_not_use_the_numbers_up(desk: Desk) -> None:
    desk.say(STRICTEST, 2**53 - 1, "holder")
    assert desk.apply(STRICTER, known=administrators("officer")).sequence == 2


def test_a_machine_that_counts_others_takes_a_higher_number_than_the_servers(desk: Desk) -> None:
    for text in (STRICTER, STRICTEST):
        desk.apply(text, "holder", known=administrators("holder"))
    report = desk.apply(TEXT + "\n", "officer", known=administrators("officer"))
    assert report.sequence == 4
    assert desk.server("officer", "holder").current().sequence == 4


def test_what_contradicts_itself_is_settled_by_applying_again(desk: Desk) -> None:
    for text in (STRICTER, STRICTEST):
        desk.say(text, 2, "officer")
    with pytest.raises(NotApplied, match="2 different configurations as number 2"):
        desk.server().current()
    assert desk.apply(STRICTER).sequence == 3
    assert desk.server().current().sequence == 3


def test_a_log_whose_policy_statement_is_gone_takes_no_new_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.store, "envelope", lambda _: None)
    with pytest.raises(NotApplied, match="the policy statement of leaf 0 is gone"):
        desk.apply(STRICTER)


def test_what_is_in_force_and_unreadable_can_be_replaced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = bundle().digests[MAIN]
    blob = desk.store.blob
    monkeypatch.setattr(desk.store, "blob", lambda digest: None if digest == lost else blob(digest))
    report = desk.apply(STRICTER)
    assert report.before is None
    assert any("what is in force cannot be read" in text for text in report.warnings)
    assert desk.server().current().sequence == 2


# What is shown


def test_the_table_names_what_is_shut_out_first_and_sums_up_last(desk: Desk) -> None:
    text = render(apply_table(desk.apply(STRICTER, dry_run=True)), width=120)
    lines = [line for line in text.splitlines() if line]
    assert lines[0].startswith(
        f"configuration {bundle(STRICTER).digest.short}  number 2, after {bundle().digest.short}"
    )
    assert lines[1] == "✗ income/3 at champion  allowed → denied"
    assert lines[2] == "    why:  parity is stale: measured under another policy than today's"
    assert lines[-1] == "dry run, nothing signed: 1 of 1 protected place would be refused"
    signed = render(apply_table(desk.apply(STRICTER)), width=120)
    assert signed.splitlines()[-1].startswith("in force: number 2, signed by officer, 1 of 1 signature; ")


def test_the_json_has_the_numbers_and_the_reasons(desk: Desk) -> None:
    wire = apply_wire(desk.apply(STRICTER, known=administrators("officer", "colleague", threshold=2)))
    assert (wire["schema"], wire["dry_run"], wire["sequence"], wire["exit_code"]) == ("aims.apply/1", False, 2, 0)
    assert (wire["signatures"], wire["threshold"], wire["in_force"]) == (1, 2, False)
    (item,) = wire["standing"]
    assert item["model"] == {"workspace": "default", "name": "income", "version": "3"}
    assert (item["to"], item["flips"]) == ({"alias": "champion"}, True)
