"""What is done to a pack on its way to the auditor, who got the trust by another way."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.evidence.pack_index import INDEX, FileEntry, PackIndex
from aims_mlops.evidence.statement import Statement
from tests.threats.on_statements import outsider
from tests.threats.world import PACK, World


def place(world: World, name: str) -> Path:
    """Return where a file of the pack lies; of a pattern, the first."""
    return min((world.folder / PACK).glob(name))


def flip(name: str) -> Callable[[World], None]:
    """Change one bit of a file."""

    def move(world: World) -> None:
        path = place(world, name)
        content = path.read_bytes()
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])

    return move


def edit_index(world: World) -> None:
    """Let the index be of another system."""
    path = place(world, INDEX)
    held = Envelope.from_bytes(path.read_bytes())
    path.write_bytes(Envelope(held.payload.replace(b'"loans"', b'"loanz"'), held.signatures).to_bytes())


def add(world: World) -> None:
    """Add a file."""
    (world.folder / PACK / "more.txt").write_text("more\n")


def take_away(world: World) -> None:
    """Take a statement away."""
    place(world, "statements/*-check-result.*").unlink()


def link(world: World) -> None:
    """Put a link to the same bytes in the place of a statement."""
    path = place(world, "statements/*-check-result.*")
    path.rename(world.folder / "elsewhere.json")
    path.symlink_to(world.folder / "elsewhere.json")


def swap_proofs(world: World) -> None:
    """Exchange two proofs."""
    one, two, *_ = sorted((world.folder / PACK / "proofs").iterdir())
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def replace_verifier(world: World) -> None:
    """Let the program in the pack say VALID to everything."""
    place(world, "verify.py").write_text("print('VALID: 11 statements')\n")


def replace_key(world: World) -> None:
    """Put an own public key in the place of the pipeline's: no verifier takes a key from the pack."""
    place(world, "keys/pipeline-*").write_bytes(place(world, "keys/audit-*").read_bytes())


def zip_slip(world: World) -> None:
    """Make a ZIP file of the pack, with one file more that would be unpacked beside it."""
    folder = world.folder / PACK
    with zipfile.ZipFile(world.folder / "made.zip", "w") as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                made.write(path, path.relative_to(folder).as_posix())
        made.writestr("../aims.yaml", "schema: aims/1\n")
    shutil.rmtree(folder)
    (world.folder / "made.zip").rename(folder)


def _index(world: World) -> tuple[Statement, PackIndex]:
    statement = Statement.from_bytes(Envelope.from_bytes(place(world, INDEX).read_bytes()).payload)
    return statement, PackIndex.from_wire(statement.body)


def _sign_index(world: World, statement: Statement, index: PackIndex, *, own: bool = False) -> None:
    payload = replace(statement, body=index.to_wire(), subject=index.subject).to_bytes()
    who = outsider() if own else world.key("pipeline")
    signature = Signature(str(who.public.id), who.sign(pae(payload)))
    place(world, INDEX).write_bytes(Envelope(payload, (signature,)).to_bytes())


def edited_and_listed(*, own: bool = False) -> Callable[[World], None]:
    """Edit a statement and list it anew: signed by somebody unknown, or by who may sign packs."""

    def move(world: World) -> None:
        path = place(world, "statements/*-check-result.*")
        envelope = Envelope.from_bytes(path.read_bytes())
        payload = envelope.payload.replace(b'"outcome":"failed"', b'"outcome":"passed"')
        payload = (
            payload if payload != envelope.payload else payload.replace(b'"outcome":"passed"', b'"outcome":"warned"')
        )
        path.write_bytes(Envelope(payload, envelope.signatures).to_bytes())
        statement, index = _index(world)
        name = path.relative_to(world.folder / PACK).as_posix()
        files = {**index.files, name: FileEntry.of(path.read_bytes())}
        _sign_index(world, statement, replace(index, files=files), own=own)

    return move


def name_outside(world: World) -> None:
    """List a file that lies outside of the pack."""
    statement, index = _index(world)
    held = index.to_wire()
    held["files"][0]["name"] = "../aims.yaml"
    payload = replace(statement, body=held).to_bytes()
    key = world.key("pipeline")
    place(world, INDEX).write_bytes(
        Envelope(payload, (Signature(str(key.public.id), key.sign(pae(payload))),)).to_bytes()
    )


def respell(world: World) -> None:
    """Write the index's envelope with spaces, which says the same."""
    path = place(world, INDEX)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))


def another_checkpoint(world: World) -> None:
    """Put a checkpoint by the log's own key over another tree in, and list it."""
    from aims_mlops.evidence.checkpoint import Checkpoint

    path = place(world, "checkpoints/*")
    made = Checkpoint(world.log_key.name, int(path.stem), bytes(32)).sign(world.log_key, world.key("the-log").sign)
    path.write_bytes(made.to_bytes())
    statement, index = _index(world)
    name = path.relative_to(world.folder / PACK).as_posix()
    _sign_index(world, statement, replace(index, files={**index.files, name: FileEntry.of(path.read_bytes())}))
