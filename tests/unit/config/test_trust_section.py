"""Keys with terms, rules of trust and what is kept apart in aims.yaml, and what they do to the policy digest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project
from aims_mlops.model.trust import Revocation, Rule, Term
from tests.builders import key

Read = Callable[[str | bytes], Project]
Mistakes = Callable[[str | bytes], str]
ANN = "keys: [keys/ann.pub.pem]"
RECORD = "  record: [ann, ben]\n"


@pytest.fixture(autouse=True)
def keys(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    for name in ("ann", "ann-2", "ben"):
        (tmp_path / "keys" / f"{name}.pub.pem").write_bytes(key(name).public_pem)


def ann(base: str, text: str) -> str:
    return base.replace(ANN, f"keys: {text}").replace("{name: Ben}", "{name: Ben, keys: [keys/ben.pub.pem]}")


def terms(project: Project) -> list[Term]:
    (found,) = [person for person in project.people if person.id == "ann"]
    return [item.term for item in found.keys]


def test_days_and_times_make_the_term_of_a_key(read: Read, base: str) -> None:
    first = "{file: keys/ann.pub.pem, to: 2026-11-28, revoked: {at: 2026-11-20, reason: lost}}"
    second = "{file: keys/ann-2.pub.pem, from: 2026-11-28T09:30:00Z}"

    found = terms(read(ann(base, f"[{first}, {second}]")))

    lost = Revocation(datetime(2026, 11, 20, tzinfo=UTC), "lost")
    assert found == [
        Term(None, datetime(2026, 11, 29, tzinfo=UTC), lost),
        Term(datetime(2026, 11, 28, 9, 30, tzinfo=UTC)),
    ]


def test_a_path_alone_is_a_key_without_bounds(read: Read, base: str) -> None:
    assert terms(read(base)) == terms(read(ann(base, "[{file: keys/ann.pub.pem}]"))) == [Term()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{from: 2026-01-01}]", "aims.yaml:6:12: the key 'file' is missing"),
        (
            "[{file: keys/ann.pub.pem, til: 2026-01-01}]",
            "aims.yaml:6:37: unknown key 'til'\n  hint: keys here: file, from, to, revoked",
        ),
        ("[{file: keys/ann.pub.pem, to: tomorrow}]", "'tomorrow' is not a date\n  hint: write a day, e.g. 2026-11-28"),
        ("[{file: keys/ann.pub.pem, to: 2026-02-30}]", "'2026-02-30' is no date of the calendar"),
        ("[{file: keys/ann.pub.pem, to: 2026-11-28T10:00:00}]", "is not a date"),
        ("[{file: keys/ann.pub.pem, to: 2026}]", "expected a date"),
        (
            "[{file: keys/ann.pub.pem, from: 2026-03-02, to: 2026-03-01}]",
            "the key ends before it begins\n  hint: let to: be a day after from:",
        ),
        ("[{file: keys/ann.pub.pem, revoked: {at: 2026-03-02, reason: stolen}}]", "'stolen'"),
        ("[{file: keys/ann.pub.pem, revoked: {reason: lost}}]", "the key 'at' is missing"),
        ("[{file: keys/ann.pub.pem}, keys/ann.pub.pem]", "the key keys/ann.pub.pem is enrolled for 'ann' already"),
        ("[{file: keys/ben.pub.pem}]", "the key keys/ben.pub.pem is enrolled for 'ann' already"),
        ("[{file: aims.yaml}]", "aims.yaml: not a public key in PEM form"),
        ("[7]", "aims.yaml:6:12: expected text"),
    ],
)
def test_what_makes_no_term_is_a_mistake_at_its_place(base: str, mistakes: Mistakes, text: str, said: str) -> None:
    assert said in mistakes(ann(base, text))


def rules(base: str, text: str) -> str:
    return base.replace(RECORD, f"  record: {text}\n")


def test_people_alone_are_no_rule_and_rules_say_for_which_systems_and_how_many(read: Read, base: str) -> None:
    assert read(base).systems[0].policy.rules == {}
    several = "[{by: [ann, ben], systems: ['loan*'], threshold: 2}, {by: [ben]}]"

    policy = read(rules(base, several)).systems[0].policy

    assert policy.rules == {"record": (Rule(("ann", "ben"), ("loan*",), 2), Rule(("ben",)))}
    assert read(rules(base, "{by: [ann]}")).systems[0].policy.rules == {"record": (Rule(("ann",)),)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{by: [anne]}", "there is no person 'anne' under people\n  hint: did you mean 'ann'"),
        ("[{by: [anne]}]", "there is no person 'anne' under people"),
        ("{by: []}", "aims.yaml:12:12: expected at least one entry"),
        ("{systems: [loans]}", "the key 'by' is missing"),
        ("{by: [ann], systems: [loan]}", "no system matches 'loan'\n  hint: did you mean 'loans'"),
        ("{by: [ann], systems: []}", "aims.yaml:12:23: expected at least one entry"),
        ("{by: [ann, ben], threshold: 3}", "3 of 2 people can never be reached\n  hint: name more active people"),
        ("{by: [ann, ann], threshold: 2}", "2 of 1 people can never be reached"),
        ("{by: [ann], threshold: 0}", "a number of at least 1"),
        ("{by: [ann], treshold: 1}", "unknown key 'treshold'\n  hint: did you mean 'threshold'?"),
        ("[ann, {by: [ben]}]", "expected a mapping"),
        ("ann", "expected a list"),
    ],
)
def test_a_rule_that_trusts_nobody_is_a_mistake_at_its_place(
    base: str, mistakes: Mistakes, text: str, said: str
) -> None:
    assert said in mistakes(rules(base, text))


@pytest.mark.parametrize("rule", ["{by: [ann], systems: [loans]}", "[{by: [ben]}, {by: [ann], systems: ['*']}]"])
def test_a_tombstone_is_bound_to_no_system(base: str, mistakes: Mistakes, read: Read, rule: str) -> None:
    said = mistakes(base.replace(RECORD, f"{RECORD}  tombstone: {rule}\n"))
    column = rule.index("systems:") + 14
    assert said == (
        f"aims.yaml:13:{column}: a tombstone cannot be bound to systems: the leaf of what it erases names none, "
        "only its signer would\n  hint: take systems: away; whoever may erase may do so for every system"
    )
    assert read(base.replace(RECORD, f"{RECORD}  tombstone: {{by: [ann]}}\n")).systems


def test_only_what_people_sign_one_after_the_other_can_demand_several(base: str, mistakes: Mistakes) -> None:
    text = base.replace("  check-result: [robot]\n", "  check-result: {by: [robot, ann], threshold: 2}\n")

    said = mistakes(text)

    assert "aims.yaml:11:47: a check-result is signed by one: it cannot demand 2\n  hint: several people sign" in said


def test_what_is_kept_apart_is_two_kinds_that_people_judge_by(read: Read, base: str, mistakes: Mistakes) -> None:
    policy = read(base + "separate: [[check-result, waiver]]\n").systems[0].policy

    assert policy.apart("waiver") == {"check-result"}
    assert policy.apart("check-result") == {"waiver"}
    assert policy.apart("record") == frozenset()
    for wrong in ("[record, record]", "[record]", "[record, waiver, check-result]"):
        assert "expected two different kinds of statement" in mistakes(base + f"separate: [{wrong}]\n")
    assert "'promotion'" in mistakes(base + "separate: [[record, promotion]]\n")


def digest(read: Read, text: str) -> Digest:
    return read(text).systems[0].policy.digest


def test_neither_a_rotation_nor_a_revocation_makes_another_policy(read: Read, base: str) -> None:
    today = digest(read, base)
    old = "{file: keys/ann.pub.pem, to: 2026-11-28, revoked: {at: 2026-11-20, reason: compromised}}"

    assert digest(read, ann(base, "[{file: keys/ann.pub.pem}]").replace("[keys/ben.pub.pem]", "[]")) == today
    rotated = ann(base, f"[{old}, {{file: keys/ann-2.pub.pem, from: 2026-11-28}}]")
    assert digest(read, rotated.replace("[keys/ben.pub.pem]", "[]")) == today
    assert digest(read, ann(base, "[keys/ann.pub.pem, keys/ann-2.pub.pem]")) != today


def test_a_rule_like_the_list_is_the_same_policy_and_any_other_is_another(read: Read, base: str) -> None:
    today = digest(read, base)

    assert digest(read, rules(base, "{by: [ann, ben]}")) == today
    assert digest(read, rules(base, "{by: [ann, ben], systems: ['*']}")) == today
    others = ("{by: [ann]}", "{by: [ann, ben], threshold: 2}")
    found = {digest(read, rules(base, text)) for text in others} | {digest(read, base + "separate: [[record, waiver]]")}
    assert len(found) == 3
    assert today not in found


def test_a_rule_for_other_systems_says_nothing_about_this_one(read: Read, base: str) -> None:
    more = base.replace(
        "systems:\n", "systems:\n  other: {name: O, owner: ann, models: [o], promotion: {aliases: [a]}}\n"
    )
    scoped = rules(more, "[{by: [ann], systems: [other]}, {by: [ben], systems: [loans]}]")

    other, loans = read(ann(scoped, "[keys/ann.pub.pem]")).systems

    assert (set(other.policy.trusted("record").values()), set(loans.policy.trusted("record").values())) == (
        {"ann"},
        {"ben"},
    )
    assert other.policy.trust["record"] == loans.policy.trust["record"]
