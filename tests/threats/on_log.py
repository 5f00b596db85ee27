"""What is done to the log: leaves, chain, head, tiles, checkpoints, witnesses, and whole copies of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import Checkpoint, cosign
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.merkle import Tree
from aims_mlops.evidence.note import COSIGNATURE, ED25519, Note, NoteSignature, VerifierKey
from aims_mlops.model.digest import Digest
from tests.threats.on_statements import FAILED, outsider
from tests.threats.on_trust import result_by
from tests.threats.world import KEPT, World


def sql(*changes: str) -> Callable[[World], None]:
    """Return the move of somebody who can write to the database."""

    def move(world: World) -> None:
        for change in changes:
            world.sql(change)

    return move


def exchange(world: World) -> None:
    """Let two leaves change places."""
    one, other = (leaf.to_bytes() for leaf in world.leaves()[1:3])
    world.sql("update aims_leaf set leaf = ? where seq = 1", other)
    world.sql("update aims_leaf set leaf = ? where seq = 2", one)


def _without(world: World, *places: int) -> list[Leaf]:
    return [leaf for leaf in world.leaves() if leaf.seq not in places]


def drop(world: World) -> None:
    """Take the failed result out, and chain the log and its head anew."""
    world.chain(_without(world, FAILED))


def drop_intent(world: World) -> None:
    """Take the announcement of the run out, and chain anew."""
    world.chain(_without(world, world.place("intent")))


def hold_back(world: World) -> None:
    """Keep a run that failed out of the log, before anybody decided: only what announced it is there."""
    world.chain(world.leaves()[:FAILED])
    for path in (world.outside, world.folder / KEPT):
        path.unlink()
    world.sql("delete from aims_checkpoint")


def cut_with_head(world: World) -> None:
    """Cut the last leaves off, and write the head to fit."""
    world.chain(world.leaves()[:-2])


def restore_backup(world: World) -> None:
    """Put the whole of an older copy back: database, head, and the checkpoint of that day outside."""
    world.chain(world.leaves()[:5])
    world.sql("delete from aims_checkpoint where size > 5")
    shutil.copy(world.folder / KEPT, world.outside)


def fork(world: World) -> None:
    """Put an older copy back and go on from it, until it is longer than the log that others saw."""
    restore_backup(world)
    world.aims("check", "loan/1", expect=1)
    world.aims("check", "loan/1", expect=1)


def back_date(world: World) -> None:
    """Set the time of recording back, and chain anew."""
    leaves = world.leaves()
    leaves[FAILED] = replace(leaves[FAILED], captured_at="2020-01-01T00:00:00.000Z")
    world.chain(leaves)


def back_date_row(world: World) -> None:
    """Set the time of recording back in one row."""
    leaf = replace(world.leaves()[FAILED], captured_at="2020-01-01T00:00:00.000Z")
    world.sql("update aims_leaf set leaf = ? where seq = ?", leaf.to_bytes(), FAILED)


def rewrite_with_log_key(world: World) -> None:
    """Leave the failed result out, chain anew, and sign the fresh history with the log's key, everywhere here."""
    drop(world)
    world.sql("delete from aims_checkpoint")
    world.outside.unlink()
    world.checkpoint()


def two_histories(world: World) -> None:
    """Sign a second history as long as the one that others saw."""
    rewrite_with_log_key(world)
    result_by("pipeline")(world)
    world.checkpoint()


def append_again(world: World) -> None:
    """Append the old pass once more, as the newest result."""
    old, last = world.leaves()[1], world.leaves()[-1]
    content = replace(old, seq=last.seq + 1, prev=Digest.of(last.to_bytes())).to_bytes()
    world.sql(
        "insert into aims_leaf (seq, leaf, digest, payload, type, subject) values (?, ?, ?, 'again', ?, ?)",
        *(last.seq + 1, content, str(Digest.of(content)), old.type, str(old.subject)),
    )


def write_head(world: World) -> None:
    """Write nonsense over the head."""
    world.head.write_text("leaf 99\n")


def delete_head(world: World) -> None:
    """Delete the head."""
    world.head.unlink()


def another_registrys_log(world: World) -> None:
    """Say that the log is another registry's."""
    world.sql("update aims_meta set value = '00000000-0000-4000-8000-000000000000' where key = 'registry_id'")


def tile(world: World) -> None:
    """Put a tile over leaves that are not there, to lead proofs to another root."""
    world.sql("insert into aims_tile (level, number, hashes, root) values (0, 0, ?, ?)", b"\0" * 8192, b"\0" * 32)


# Checkpoints


def _newest(world: World) -> Note:
    return Note.from_bytes(world.outside.read_bytes())


def put_checkpoint(world: World, note: Note) -> None:
    """Put a note in the place of every kept checkpoint."""
    size = int(note.text.split(b"\n")[1])
    world.sql("delete from aims_checkpoint")
    world.sql("insert into aims_checkpoint (digest, size, note) values ('x', ?, ?)", size, note.to_bytes())
    world.outside.write_bytes(note.to_bytes())


def edit_checkpoint(world: World) -> None:
    """Write another root into the signed checkpoint."""
    note = _newest(world)
    lines = note.text.split(b"\n")
    put_checkpoint(world, replace(note, text=b"\n".join([*lines[:2], b"A" * 43 + b"=", *lines[3:]])))


def _ours(world: World) -> Checkpoint:
    tree = Tree()
    for leaf in world.leaves():
        tree.add(merkle.leaf_hash(leaf.to_bytes()))
    return Checkpoint(world.log_key.name, tree.size, merkle.root(tree, tree.size))


def other_origin(world: World) -> None:
    """Put the checkpoint of another log there, signed by the same key."""
    other = VerifierKey("aims-mlops/other", ED25519, world.log_key.key)
    put_checkpoint(world, replace(_ours(world), origin=other.name).sign(other, world.key("the-log").sign))


def checkpoint_by_stranger(world: World) -> None:
    """Sign the true root with an own key under the log's name."""
    own = outsider()
    key = VerifierKey(world.log_key.name, ED25519, own.public)
    put_checkpoint(world, _ours(world).sign(key, own.sign))


def checkpoint_by_witness(world: World) -> None:
    """Let the witness's key sign as the log."""
    key = world.key("audit")
    put_checkpoint(world, _ours(world).sign(VerifierKey(world.log_key.name, ED25519, key.public), key.sign))


def bad_cosignature(world: World) -> None:
    """Put the witness's cosignature of another moment below the checkpoint."""
    note = _newest(world)
    own = outsider()
    line = NoteSignature.of(world.witness_key, own.sign(b"anything"), time=1_795_000_000)
    kept = tuple(item for item in note.signatures if item.name != world.witness_key.name)
    put_checkpoint(world, replace(note, signatures=(*kept, line)))


def unknown_witness(world: World) -> None:
    """Have an own witness cosign in the place of the trusted one."""
    note, own = _newest(world), outsider()
    key = VerifierKey("aims-witness/own", COSIGNATURE, own.public)
    kept = tuple(item for item in note.signatures if item.name != world.witness_key.name)
    bare = replace(note, signatures=kept)
    put_checkpoint(world, replace(bare, signatures=(*kept, cosign(bare, key, own.sign, time=1_795_000_000))))


def delete_outside(world: World) -> None:
    """Delete the checkpoint outside the database."""
    world.outside.unlink()


def nonsense_outside(world: World) -> None:
    """Write nonsense over the checkpoint outside the database."""
    world.outside.write_text("8 leaves\n")
