"""Models that fail, lie or attack: the check says so, the gate stays shut, store and keys are as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from aims_mlops_hooks.mlflow.confine import landlock_abi
from tests.cli.loans import Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

LOOK_AROUND = """\
loot = [name for name in os.environ if "PASSPHRASE" in name or name.startswith("AIMS")]
for place in PLACES:
    try:
        with open(place, "rb") as file:
            content = file.read()
    except OSError:
        continue
    if content:
        loot.append(place)
    try:
        with open(place, "ab") as file:
            file.write(b"x")
            loot.append(place)
    except OSError:
        continue
raise OverflowError if loot else PermissionError"""


def files(folder: Path) -> dict[str, bytes]:
    kept = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(("aims.db", "mlflow.db")))
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.mark.parametrize(
    ("predict", "load", "says"),
    [
        pytest.param(
            "return [0]",
            "pass",
            ("the model answered 1 predictions for 2000 rows", "predict must give one label for each row"),
            id="predictions of the wrong length",
        ),
        pytest.param(
            "return frame",
            "import a_library_that_is_not_here",
            (
                "the model cannot be loaded (ModuleNotFoundError)",
                "install its requirements.txt here",
                "No module named 'a_library_that_is_not_here'",
            ),
            id="the model cannot be loaded",
        ),
        pytest.param(
            "raise ValueError('a row of Jane Doe')",
            "pass",
            ("the model fails in predict (ValueError)", "see that the data has the columns and types"),
            id="the model fails in predict",
        ),
        pytest.param(
            "return [0] * len(frame)",
            "open(os.path.join(path, 'own_model.py'), 'a').write('x')",
            ("PermissionError",) if landlock_abi() else ("changed its own folder",),
            id="the model writes into its own folder",
        ),
    ],
)
def test_a_model_that_does_not_answer_keeps_the_gate_shut(
    loans: Loans, predict: str, load: str, says: tuple[str, ...]
) -> None:
    before, label = loans.payloads(), loans.register(predict, load=load)
    held = files(loans.folder / "bad-model")
    loans.aims("check", label, "--only", "parity", expect=3).says("error", *says)
    denied = loans.aims("gate", label, "--to", "champion", expect=1)
    denied.says("parity", "error", "drift", "missing", f"aims check {label}")
    loans.log_holds(more=3, before=before)
    assert files(loans.folder / "bad-model") == held
    loans.aims("gate", "loan/1", "--to", "champion", expect=0).says("allowed for champion")


def test_what_a_model_says_stays_at_the_terminal(loans: Loans) -> None:
    before, label = loans.payloads(), loans.register("raise ValueError('a row of Jane Doe \\x1b[2J')")
    shown = loans.aims("-v", "check", label, "--only", "parity", expect=3)
    shown.says("detail: ValueError: a row of Jane Doe")
    assert "\x1b" not in shown.out + shown.err, "a model's words are no commands to the terminal"
    assert "Jane Doe" in shown.err, "-v shows all that the model said"
    assert "Jane Doe" not in loans.aims("check", label, "--only", "parity", "--format", "json", expect=3).out
    (envelopes,) = loans.sql("select group_concat(cast(envelope as text)) from aims_envelope")[0]
    assert "Jane" not in envelopes
    loans.log_holds(more=4, before=before)


@pytest.mark.skipif(landlock_abi() < 6, reason="this kernel cannot close a process off with Landlock")
def test_a_hostile_model_finds_neither_keys_nor_environment_nor_store(loans: Loans) -> None:
    project = loans.folder
    places = [
        str(project / name) for name in ("keys/pipeline.pem", "aims.db", "aims.db.head", "mlflow.db", "aims.yaml")
    ]
    attack = LOOK_AROUND.replace("PLACES", f"[*{places!r}, f'/proc/{{os.getppid()}}/environ', '/proc/1/environ']")
    before, label = loans.payloads(), loans.register(attack)
    held = files(project)
    said = loans.aims("check", label, "--only", "parity", expect=3)
    said.says("error", "the model fails in predict (PermissionError)")
    loans.aims("gate", label, "--to", "champion", expect=1).says("parity", "error")
    loans.log_holds(more=3, before=before)
    now = {name: content for name, content in files(project).items() if name in held}
    assert now == held, "keys, policy, data and model are as they were"
