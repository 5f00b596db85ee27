"""A consumer is handed a model only where its bytes and the decision that let it live both hold."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from aims_mlops import api
from aims_mlops.errors import ExitCode, NothingToDo, VerificationError
from aims_mlops.model.subject import ModelRef, Target
from aims_mlops.model.trust import Revocation, Term
from tests.api.world import World

REF = ModelRef("income", version="3")
CHAMPION = Target("alias", "champion")


def holds(world: World, label: str, *aliases: str, files: bytes | None = None) -> None:
    """Let a version hold aliases, as somebody with the database's password could."""
    version, there = world.registry.held[label]
    world.registry.held[label] = replace(version, aliases=aliases), files or there


@pytest.fixture
def live(world: World) -> World:
    api.check(world.services, REF)
    api.promote(world.services, REF, CHAMPION, reason="live")
    holds(world, "income/3", "champion")
    return world


def copy(world: World, folder: Path, **more: tuple[str, ...]) -> str:
    return str(api.verified_copy(world.services, REF, folder / "model", **more).digest)


def test_what_was_promoted_and_is_unchanged_is_handed_out(live: World, tmp_path: Path) -> None:
    assert copy(live, tmp_path).startswith("sha256:")


def test_changed_files_are_not_handed_out(live: World, tmp_path: Path) -> None:
    holds(live, "income/3", "champion", files=b"a backdoor")
    with pytest.raises(VerificationError, match=r"income/3 stands at champion without right \(changed\)"):
        copy(live, tmp_path)


def test_an_alias_that_was_moved_past_the_gate_hands_nothing_out(live: World, tmp_path: Path) -> None:
    live.registry.add("income", "4", b"unchecked")
    holds(live, "income/4", "champion")
    with pytest.raises(VerificationError, match=r"without right \(superseded\)") as refused:
        api.verified_copy(live.services, ModelRef("income", version="4"), tmp_path / "model")
    assert "aims watch --once" in refused.value.hint


def test_a_version_at_nothing_protected_has_no_decision_to_vouch_for_it(live: World, tmp_path: Path) -> None:
    holds(live, "income/3", "dev")
    with pytest.raises(NothingToDo, match="no policy protects any alias, stage or name that it stands at"):
        copy(live, tmp_path)


def test_where_a_server_enforces_a_clients_decision_does_not_count(live: World, tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match=r"\(unproved\)"):
        copy(live, tmp_path, servers=("pipeline",))
    server = replace(live.services, enforced_by="server")
    with api.promotion(server, [REF], CHAMPION, reason="set in the registry"):
        pass
    assert copy(live, tmp_path / "again", servers=("pipeline",))


def test_a_log_that_was_cut_hands_nothing_out(live: World, tmp_path: Path) -> None:
    with closing(sqlite3.connect(live.folder / "aims.db")) as database, database:
        database.execute("DELETE FROM aims_leaf WHERE seq = (SELECT max(seq) FROM aims_leaf)")
    with pytest.raises(VerificationError, match="the log does not hold"):
        copy(live, tmp_path)


def test_verifying_by_the_protected_alias_asks_for_the_decision_too(live: World) -> None:
    by_alias = ModelRef("income", alias="champion")
    found = api.verify_live(live.services, by_alias)
    assert (found.exit_code, found.note) == (0, "a decision that holds put it at champion")
    assert api.verify_live(live.services, ModelRef("income", version="3")).note == ""
    unproved = api.verify_live(live.services, by_alias, servers=("pipeline",))
    assert unproved.exit_code == 4
    assert [(item.word, item.where) for item in unproved.troubles] == [("unproved", "income/3")]


def test_verifying_by_an_alias_that_nobody_protects_says_that_no_decision_vouches(live: World) -> None:
    holds(live, "income/3", "dev")
    found = api.verify_live(live.services, ModelRef("income", alias="dev"))
    assert found.exit_code == 0
    assert found.note == "no decision vouches for dev: no policy protects that alias"


def test_a_revocation_does_not_make_right_what_was_moved_back_past_the_gate(world: World) -> None:
    both = ("pipeline", "officer")
    world.put_policy(world.trusting(check_result=both, gate_decision=both, promotion=both))
    world.registry.add("income", "4", b"another manifest")
    for number, person in (("3", "pipeline"), ("4", "officer")):
        world.person, ref = person, ModelRef("income", version=number)
        api.check(world.services, ref)
        api.promote(world.services, ref, CHAMPION, reason=number)
    world.person = "pipeline"
    holds(world, "income/4")
    holds(world, "income/3", "champion")

    def said() -> tuple[ExitCode, str]:
        found = api.verify_live(world.services, ModelRef("income", alias="champion"))
        return found.exit_code, found.troubles[0].what

    assert said() == (ExitCode.UNVERIFIED, said()[1])
    assert "superseded" in said()[1]
    world.terms = {"officer": Term(revoked=Revocation(world.now, "compromised"))}
    assert said()[0] == ExitCode.UNVERIFIED
    holds(world, "income/3")
    holds(world, "income/4", "champion")
    assert said()[0] == ExitCode.UNVERIFIED
    assert "does not count: no outside anchor before the key was revoked" in said()[1]
