"""What is done to the model's files, to the registry's rows, and to what hangs in MLflow."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.threats.world import World


def model(world: World) -> Path:
    """Return where the files of loan/1 lie."""
    return world.model


def change(world: World) -> None:
    """Change one file."""
    with (model(world) / "code" / "own_model.py").open("a") as file:
        file.write("# changed\n")


def add(world: World) -> None:
    """Add a file."""
    (model(world) / "sitecustomize.py").write_text("print('hello')\n")


def remove(world: World) -> None:
    """Take a file away."""
    (model(world) / "code" / "own_model.py").unlink()


def link(world: World) -> None:
    """Put a link with the same content in the place of a file."""
    file = model(world) / "code" / "own_model.py"
    file.rename(world.folder / "own_model.py")
    file.symlink_to(world.folder / "own_model.py")


def pipe(world: World) -> None:
    """Put a named pipe among the files: it never ends, and says something else to each reader."""
    os.mkfifo(model(world) / "weights")


def rename_case(world: World) -> None:
    """Rename a file by the case of its letters alone."""
    folder = model(world) / "code"
    (folder / "own_model.py").rename(folder / "Own_Model.py")


def case_twins(world: World) -> None:
    """Put a second file beside one whose name differs by case alone."""
    (model(world) / "code" / "OWN_MODEL.py").write_text("print('hello')\n")


def twins(world: World) -> None:
    """Add two files with one name, composed and decomposed: on some disks they are one."""
    (model(world) / "caf\u00e9").write_text("one")
    (model(world) / "cafe\u0301").write_text("two")


def newline_name(world: World) -> None:
    """Add a file whose name has a line of a manifest in it."""
    (model(world) / "x\n0000  MLmodel").write_text("hello")


def abuse_meta(world: World) -> None:
    """Hide code in the one file that a verifier leaves out."""
    (model(world) / "registered_model_meta").write_text("model_name: loan\nmodel_version: '1'\nrun: import os\n")


def registry(*changes: str) -> Callable[[World], None]:
    """Return the move of somebody who can write to MLflow's database."""

    def move(world: World) -> None:
        for one in changes:
            world.sql(one.replace("{folder}", str(world.folder)), database="mlflow.db")

    return move


def copies(world: World) -> list[Path]:
    """Return the copies of statements that hang on the version's run."""
    return sorted((world.folder / "mlruns").rglob("*.dsse.json"))
