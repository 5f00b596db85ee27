"""Checkpoints: signed only over a log that holds and that only grew; and what is found when it did not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aims_mlops import api
from aims_mlops.errors import CannotDecide, ExitCode, NothingToDo, SigningError, UsageError, VerificationError
from aims_mlops.evidence.checkpoint import Checkpoint
from aims_mlops.evidence.log import Head, Leaf, genesis
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.note import Note
from aims_mlops.model.digest import Digest
from tests.adapters.homes import Home
from tests.api.logs import Department, LogSigner, LogWorld
from tests.builders import key


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[LogWorld]:
    made = LogWorld(tmp_path)
    yield made
    made.close()


def sql(world: LogWorld, statement: str, **values: object) -> None:
    world.store.close()
    Home("sqlite", f"sqlite:///{world.folder}/aims.db", world.folder).sql(statement, **values)


def backup(world: LogWorld, name: str, *, outside: bool = False) -> Callable[[], None]:
    """Copy the store with its head, and the checkpoint outside where that is asked for; return what puts it back."""
    world.store.close()
    kept = world.folder / name
    kept.mkdir()
    files = ["aims.db", "aims.db.head", *(["aims.db.checkpoint"] if outside else [])]
    for file in files:
        shutil.copy(world.folder / file, kept / file)

    def restore() -> None:
        world.store.close()
        for leftover in world.folder.glob("aims.db-*"):
            leftover.unlink()
        for file in files:
            shutil.copy(kept / file, world.folder / file)

    return restore


def rewrite(world: LogWorld, change: int) -> None:
    """Chain the whole log anew around one changed leaf, head and all, as somebody would who knows the format."""
    leaves = [Leaf.from_bytes(content) for content in world.store.leaves()]
    prev = genesis(world.store.registry_id())
    for seq, leaf in enumerate(leaves):
        captured_at = "2030-01-01T00:00:00.000Z" if seq == change else leaf.captured_at
        content = replace(leaf, prev=prev, captured_at=captured_at).to_bytes()
        prev = Digest.of(content)
        sql(world, "UPDATE aims_leaf SET leaf = :leaf, digest = :d WHERE seq = :seq", leaf=content, d=prev, seq=seq)
    world.store.pin(Head(len(leaves) - 1, prev))
    assert not api.verify(world.services).troubles, "the chain alone finds nothing: this is what checkpoints are for"


# Signing


def test_a_checkpoint_is_signed_and_kept_in_both_places(logged: LogWorld) -> None:
    logged.write(3)
    made = logged.checkpoint()
    assert (made.signed.size, made.before) == (3, 0)
    assert made.origin == f"aims-mlops/{logged.store.registry_id()}"
    (kept,) = logged.store.checkpoints()
    assert kept == logged.store.last_checkpoint() == (logged.folder / "aims.db.checkpoint").read_bytes()
    logged.write(2)
    again = logged.checkpoint()
    assert (again.signed.size, again.before) == (5, 3)
    assert len(logged.store.checkpoints()) == 2


def test_without_a_new_leaf_there_is_nothing_to_sign(logged: LogWorld) -> None:
    logged.store.registry_id()
    with pytest.raises(NothingToDo, match="the log is empty"):
        logged.checkpoint()
    logged.write(2)
    logged.checkpoint()
    with pytest.raises(NothingToDo, match="no leaf is new since the checkpoint of 2 leaves") as raised:
        logged.checkpoint()
    assert raised.value.exit_code is ExitCode.NOTHING


def test_a_checkpoint_that_one_place_lost_to_a_crash_comes_back(logged: LogWorld) -> None:
    logged.write(2)
    made = logged.checkpoint()
    sql(logged, "DELETE FROM aims_checkpoint")
    with pytest.raises(NothingToDo):
        logged.checkpoint()
    assert logged.store.checkpoints() == [made.signed.note.to_bytes()]


def test_the_signer_has_to_be_the_logs_own_key(logged: LogWorld) -> None:
    logged.write()
    with pytest.raises(SigningError, match="is not an Ed25519 key of 'the-log'"):
        api.checkpoint(logged.services, LogSigner("somebody"))
    with pytest.raises(UsageError, match="does not say who signs"):
        api.checkpoint(replace(logged.services, project=logged.project), LogSigner())
    logged.settings = replace(logged.settings, key="owner")  # whose key is of another kind
    with pytest.raises(UsageError, match="'owner' has no Ed25519 key"):
        logged.checkpoint()


def test_another_origin_is_another_log(logged: LogWorld) -> None:
    logged.write()
    logged.settings = replace(logged.settings, origin="example.org/aims")
    assert logged.checkpoint().signed.note.text.startswith(b"example.org/aims\n1\n")
    logged.settings = replace(logged.settings, origin="example.org/another")
    with pytest.raises(VerificationError, match=r"of the log 'example\.org/aims', not of"):
        logged.checkpoint()


# What must not be signed over


def cut(world: LogWorld) -> None:
    sql(world, "DELETE FROM aims_leaf WHERE seq = 4")


def cut_with_head(world: LogWorld) -> None:
    cut(world)
    world.store.pin(Head(3, Digest.of(list(world.store.leaves())[3])))


def edit(world: LogWorld) -> None:
    leaf = Leaf.from_bytes(list(world.store.leaves())[2])
    changed = replace(leaf, captured_at="2020-01-01T00:00:00.000Z").to_bytes()
    sql(world, "UPDATE aims_leaf SET leaf = :leaf WHERE seq = 2", leaf=changed)


def reorder(world: LogWorld) -> None:
    rows = list(world.store.leaves())
    sql(world, "UPDATE aims_leaf SET leaf = :leaf WHERE seq = 1", leaf=rows[2])
    sql(world, "UPDATE aims_leaf SET leaf = :leaf WHERE seq = 2", leaf=rows[1])


def take_out(world: LogWorld) -> None:
    sql(world, "DELETE FROM aims_leaf WHERE seq = 2")


def rewrite_all(world: LogWorld) -> None:
    rewrite(world, change=1)


THREATS = [
    pytest.param(cut, "hole", 4, "its tail is cut off", id="the tail is cut off"),
    pytest.param(cut_with_head, "hole", 4, "its tail is cut off", id="the tail is cut off, the head with it"),
    pytest.param(edit, "tampered", 4, "not those of the checkpoint", id="a leaf is edited"),
    pytest.param(reorder, "tampered", 4, "not those of the checkpoint", id="two leaves change places"),
    pytest.param(take_out, "hole", 4, "a checkpoint of 5 was signed", id="a leaf is taken out"),
    pytest.param(rewrite_all, "tampered", 4, "was rewritten, or forked", id="the whole log is chained anew"),
]


@pytest.mark.parametrize(("attack", "word", "code", "says"), THREATS)
def test_an_attack_on_a_signed_log_is_found(
    logged: LogWorld, attack: Callable[[LogWorld], None], word: str, code: int, says: str
) -> None:
    logged.write(5)
    logged.checkpoint()
    attack(logged)
    found = logged.verify()
    assert found.exit_code == code
    assert word in {trouble.word for trouble in found.troubles}
    assert any(says in trouble.what for trouble in found.troubles), found.troubles
    with pytest.raises(VerificationError):  # whatever it is: a signer does not sign over it
        logged.checkpoint()
    assert len(logged.store.checkpoints()) == 1


def test_a_rewritten_log_is_found_by_the_checkpoint_outside_alone(logged: LogWorld) -> None:
    logged.write(5)
    logged.checkpoint()
    sql(logged, "DELETE FROM aims_checkpoint")
    rewrite(logged, change=1)
    with pytest.raises(VerificationError, match="the log was rewritten, or forked from an old copy"):
        logged.checkpoint()
    (trouble,) = logged.verify().troubles
    assert (trouble.word, trouble.where) == ("tampered", "checkpoint of 5 (outside)")


def test_a_restored_backup_is_found_shorter_and_after_it_grew(logged: LogWorld) -> None:
    logged.write(3)
    logged.checkpoint()
    restore = backup(logged, "backup")
    logged.write(2)
    logged.checkpoint()
    restore()
    with pytest.raises(VerificationError, match="the log has 3 leaves, but a checkpoint of 5 was signed"):
        logged.checkpoint()
    (trouble,) = logged.verify().troubles
    assert (trouble.word, logged.verify().exit_code) == ("hole", ExitCode.UNVERIFIED)
    logged.write(4)
    with pytest.raises(VerificationError, match="forked from an old copy"):
        logged.checkpoint()
    (trouble,) = logged.verify().troubles
    assert (trouble.word, logged.verify().exit_code) == ("tampered", ExitCode.UNVERIFIED)


def test_a_backup_restored_with_everything_is_found_by_whoever_kept_a_checkpoint(logged: LogWorld) -> None:
    logged.write(3)
    logged.checkpoint()
    restore = backup(logged, "backup", outside=True)
    logged.write(2)
    kept = logged.checkpoint().signed.note.to_bytes()
    restore()
    logged.write(2)
    logged.checkpoint()  # nothing on this host remembers: the operator signs a second history
    assert not logged.verify().troubles
    found = logged.verify(auditor=kept)
    assert found.exit_code is ExitCode.UNVERIFIED
    assert any("it showed two histories" in trouble.what for trouble in found.troubles)


def test_a_missing_checkpoint_outside_is_said_and_pinned_on_request(logged: LogWorld) -> None:
    logged.write(2)
    logged.checkpoint()
    logged.write()
    (logged.folder / "aims.db.checkpoint").unlink()
    with pytest.raises(VerificationError, match="none is kept outside it on this host"):
        logged.checkpoint()
    assert [trouble.word for trouble in logged.verify().troubles] == ["hole"]
    assert logged.checkpoint(pin=True).signed.size == 3


def test_a_hole_without_any_checkpoint_is_undecided(logged: LogWorld) -> None:
    logged.write(3)
    take_out(logged)
    with pytest.raises(CannotDecide, match="the log has a hole"):
        logged.checkpoint()


# Verifying


def test_a_log_that_nobody_outside_has_seen_is_never_green(logged: LogWorld) -> None:
    logged.write(3)
    assert logged.verify().exit_code is ExitCode.NOTHING
    kept = logged.checkpoint().signed.note.to_bytes()
    found = logged.verify()
    assert (found.exit_code, found.unwitnessed) == (ExitCode.NOTHING, 3)
    logged.write(2)
    found = logged.verify(auditor=kept)
    assert (found.exit_code, found.compared, found.unwitnessed) == (ExitCode.OK, 3, 2)
    (row,) = found.checkpoints
    assert row.where == ("store", "outside", "auditor")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param(lambda note: note.replace(b"\n3\n", b"\n2\n"), "tampered", id="another size"),
        pytest.param(lambda note: note[: note.index(b"\xe2\x80\x94")], "tampered", id="no signature"),
        pytest.param(
            lambda note: Note(Note.from_bytes(note).text, ()).to_bytes() + "— x AAAAAAAA\n".encode(),
            "untrusted",
            id="a stranger's signature",
        ),
    ],
)
def test_a_kept_checkpoint_that_is_not_the_logs_is_named(
    logged: LogWorld, change: Callable[[bytes], bytes], word: str
) -> None:
    logged.write(3)
    kept = logged.checkpoint().signed.note.to_bytes()
    (trouble,) = logged.verify(auditor=change(kept)).troubles
    assert (trouble.word, trouble.where) == (word, "auditor")
    sql(logged, "UPDATE aims_checkpoint SET note = :note", note=change(kept))
    logged.write()
    with pytest.raises(VerificationError, match="a kept checkpoint does not hold"):
        logged.checkpoint()


def test_a_changed_tile_is_named_and_decides_nothing(logged: LogWorld) -> None:
    logged.write(2)
    logged.checkpoint()
    sql(logged, "INSERT INTO aims_tile VALUES (0, 0, :bytes, :bytes)", bytes=b"x" * 32)
    (trouble,) = logged.verify().troubles
    assert (trouble.word, trouble.where) == ("tampered", "tile 0/0")
    logged.write()
    assert logged.checkpoint().signed.size == 3


# Proving


def test_a_statement_is_proved_to_a_stranger(logged: LogWorld, tmp_path: Path) -> None:
    first, second, third = logged.write(3)
    with pytest.raises(NothingToDo, match="no checkpoint reaches leaf 0"):
        api.prove_logged(logged.services, first)
    logged.checkpoint()
    made = api.prove_logged(logged.services, second.hex[:12])
    envelope = logged.store.envelope(second)
    assert envelope is not None
    read = LogProof.from_bytes(made.proof.to_bytes())
    assert read.verify(envelope, origin=logged.log_key.name, keys=[logged.log_key]).size == 3
    other = logged.store.envelope(third)
    assert other is not None
    with pytest.raises(VerificationError, match="not of this envelope"):
        read.verify(other, origin=logged.log_key.name, keys=[logged.log_key])
    assert not made.witnessed


def test_what_does_not_lead_to_the_signed_root_is_not_proved(logged: LogWorld) -> None:
    first, _ = logged.write(2)
    logged.checkpoint()
    edit_one = Leaf.from_bytes(list(logged.store.leaves())[1])
    sql(
        logged,
        "UPDATE aims_leaf SET leaf = :leaf WHERE seq = 1",
        leaf=replace(edit_one, captured_at="2020-01-01T00:00:00.000Z").to_bytes(),
    )
    with pytest.raises(VerificationError, match="leaf 0 cannot be proved"):
        api.prove_logged(logged.services, first)


# Witnesses


def test_witnesses_cosign_until_there_are_enough(logged: LogWorld) -> None:
    logged.write(3)
    one, two = logged.department("audit"), logged.department("parent")
    logged.settings = replace(logged.settings, quorum=2)
    with pytest.raises(NothingToDo, match="no checkpoint of this log"):
        api.cosign_at(logged.services, one)
    logged.checkpoint()
    first = api.cosign_at(logged.services, one)
    assert (first.by, first.witnessed) == (("w/audit",), False)
    assert logged.verify().exit_code is ExitCode.NOTHING
    assert api.cosign_at(logged.services, two).witnessed
    found = logged.verify()
    assert (found.exit_code, found.witnessed, found.unwitnessed) == (ExitCode.OK, 3, 0)
    (digest,) = logged.write()
    logged.checkpoint()
    assert logged.verify().unwitnessed == 1
    api.cosign_at(logged.services, one)
    assert len(one.asked) == 3, "the second checkpoint takes a question more: the witness says what it saw last"
    assert api.cosign_at(logged.services, two).size == 4
    assert api.prove_logged(logged.services, digest).witnesses == ("w/audit", "w/parent")


def test_asking_again_costs_no_history(logged: LogWorld) -> None:
    logged.write(3)
    one = logged.department("audit")
    logged.checkpoint()
    for _ in range(3):
        assert api.cosign_at(logged.services, one).witnessed
    assert len(logged.verify().checkpoints) == 1


def test_a_forked_log_gets_no_cosignature(logged: LogWorld) -> None:
    logged.write(3)
    one = logged.department("audit")
    logged.checkpoint()
    restore = backup(logged, "backup", outside=True)
    logged.write(2)
    logged.checkpoint()
    api.cosign_at(logged.services, one)
    restore()
    with pytest.raises(VerificationError, match="saw 5 leaves of this log, and the newest checkpoint here has 3"):
        api.cosign_at(logged.services, one)
    logged.write(2)
    logged.checkpoint()
    with pytest.raises(VerificationError, match="cosigned another tree of 5 leaves for this log"):
        api.cosign_at(logged.services, one)
    logged.write(2)
    logged.checkpoint()
    with pytest.raises(VerificationError, match="what it saw of this log is no beginning of it now"):
        api.cosign_at(logged.services, one)


def test_a_witness_that_does_not_know_the_log_or_is_not_trusted(logged: LogWorld) -> None:
    logged.write(3)
    logged.checkpoint()
    with pytest.raises(UsageError, match="trusts no witness"):
        api.cosign_at(logged.services, logged_stranger(logged))
    one = logged.department("audit")
    one.service._logs.clear()
    with pytest.raises(CannotDecide, match="answered 404"):
        api.cosign_at(logged.services, one)
    one.service._logs[logged.log_key.name] = [replace(logged.log_key, key=key("x", algorithm="ed25519").public)]
    with pytest.raises(CannotDecide, match="answered 403"):
        api.cosign_at(logged.services, one)
    with pytest.raises(VerificationError, match="cosigned with a key that"):
        api.cosign_at(logged.services, logged_stranger(logged))
    assert logged.verify().checkpoints[0].witnesses == ()


def logged_stranger(world: LogWorld) -> Department:
    return Department(world.folder, "stranger", [world.log_key])


class Saying:
    """A witness that answers what it is told to."""

    place = "https://odd.example.org"

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)

    def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("answers", "kind", "what"),
    [
        pytest.param([(200, b"well done\n")], VerificationError, "answered no cosignature", id="no signature"),
        pytest.param([(200, b"\xff\n")], VerificationError, "answered no cosignature", id="no text"),
        pytest.param([(409, b"many\n")], CannotDecide, "a conflict without a size", id="a conflict without a size"),
        pytest.param([(409, b"2\n"), (409, b"1\n")], CannotDecide, "answered 409", id="it changes its mind"),
        pytest.param([(500, b"broken\n")], CannotDecide, "answered 500: broken", id="it is broken"),
    ],
)
def test_an_odd_answer_is_not_kept(
    logged: LogWorld, answers: list[tuple[int, bytes]], kind: type[Exception], what: str
) -> None:
    logged.write(3)
    logged.checkpoint()
    logged.department("audit")
    with pytest.raises(kind, match=what):
        api.cosign_at(logged.services, Saying(*answers))
    assert len(logged.store.checkpoints()) == 1


def test_a_forged_cosignature_is_not_kept(logged: LogWorld) -> None:
    logged.write(3)
    one = logged.department("audit")
    kept = logged.checkpoint()
    other = Checkpoint(kept.origin, 2, kept.signed.root).sign(logged.log_key, LogSigner().sign)
    from aims_mlops.evidence.checkpoint import cosign

    line = cosign(other, one.key, key("audit", algorithm="ed25519").sign, time=1)
    with pytest.raises(VerificationError, match="the signature of w/audit does not hold"):
        api.cosign_at(logged.services, Saying((200, f"{line}\n".encode())))
