"""Every command in the documentation is run, or is listed here with where it is run instead."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from aims_mlops.adapters.key_files import FileSigner, new_key
from aims_mlops.evidence.envelope import Envelope, Signature, pae
from tests.adapters.tokens import softhsm
from tests.docs.blocks import ROOT, Block, blocks, commands, documents, name_of, steps
from tests.docs.conftest import TUTORIAL, Run, Tutorial, run_document
from tests.e2e.conftest import Income

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tutorial")]

HOW_TO = ROOT / "docs" / "how-to"
RUN_HERE = (
    TUTORIAL,
    HOW_TO / "hook-mlflow.md",
    HOW_TO / "keys-and-passphrases.md",
    HOW_TO / "keys-in-hsm-or-kms.md",
    HOW_TO / "claim-a-model.md",
    HOW_TO / "apply-a-policy.md",
    HOW_TO / "when-the-gate-says-no.md",
    HOW_TO / "waive-a-requirement.md",
    HOW_TO / "gate-in-a-pipeline.md",
    HOW_TO / "watch-the-registry.md",
    HOW_TO / "verify-without-us.md",
    HOW_TO / "use-with-other-tools.md",
    HOW_TO / "write-a-check.md",
    HOW_TO / "see-what-was-never-checked.md",
    HOW_TO / "checkpoint-and-witness.md",
    HOW_TO / "erase-personal-data.md",
    HOW_TO / "re-perform-a-check.md",
    ROOT / "docs" / "predicates" / "README.md",
)

THE_DEMO = "examples/income/demo.py, which `make demo` and .ci/run run"
LOCKED = (
    "the environment of the tests is made from the hashed locks; the wheel is built and looked into in test_house.py"
)
ELSEWHERE = {
    "pip install 'aims-mlops[all]'": LOCKED,
    "pip install 'aims-mlops[fairness,server]'": LOCKED,
    "pip install 'aims-mlops[postgres]'": LOCKED,
    "pip install 'aims-mlops[oms]'": LOCKED,
    "createdb aims": "needs a PostgreSQL server: tests/adapters make their databases themselves",
    "make demo": ".ci/run",
    "make test": ".ci/run",
    "make check": ".ci/run",
    "aims promote income/1 --to champion": THE_DEMO,
    "aims check income/2": "tests/e2e/test_income.py",
    "aims gate income/2 --to champion": "tests/e2e/test_income.py",
    "aims promote income/2 --to champion": THE_DEMO,
    "aims keys new model-owner": "the tutorial, below",
    "aims keys new pipeline": "the tutorial, below",
    "aims init": "the tutorial, below",
    "aims config validate": "the tutorial, below",
}
"""Commands that are not run from their document, and why not or where else they are."""


def bare(command: str) -> str:
    """Return a command line without the remark that follows it."""
    return command.partition("  #")[0].strip()


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_command_is_run_or_listed_with_a_reason(path: Path) -> None:
    if path in RUN_HERE:
        return
    said = [step.command for block in blocks(path) if block.language == "console" for step in steps(block)]
    assert not [command for command in said if bare(command) not in ELSEWHERE]
    bash = [block for block in blocks(path) if block.language in ("bash", "sh", "shell")]
    assert not bash or name_of(path) == "README.md", "bash blocks of other documents are not run"


def test_nothing_is_listed_that_no_document_says() -> None:
    said = {bare(step.command) for path in documents() for step in commands(path)} | {
        "make demo",
        "make test",
        "make check",
    }
    assert not set(ELSEWHERE) - said


def copied(tutorial: Tutorial, tmp_path: Path) -> Income:
    """The tutorial's project once more, with the address that it had from its folder."""
    tutorial.run.hold()
    return tutorial.project.copy(tmp_path / "project")


def run(tutorial: Tutorial, tmp_path: Path, path: Path) -> Run:
    done = run_document(path, copied(tutorial, tmp_path), tmp_path / "out")
    done.hold()
    return done


def test_the_tutorial_runs_as_it_is_written(tutorial: Tutorial) -> None:
    tutorial.run.hold()
    (folder,) = (tutorial.project.folder / "mlruns").glob("*/*/artifacts/aims/credit/2")
    assert list(folder.glob("*/parity.html")), "a page for each check hangs on the version's run"


AS_WRITTEN = (
    "hook-mlflow",
    "keys-and-passphrases",
    "when-the-gate-says-no",
    "watch-the-registry",
    "see-what-was-never-checked",
    "re-perform-a-check",
)
"""How-tos that run on the tutorial's project as they stand."""


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_a_how_to_runs_as_it_is_written(name: str, tutorial: Tutorial, tmp_path: Path) -> None:
    run(tutorial, tmp_path, HOW_TO / f"{name}.md")


def test_a_key_in_a_token_signs_as_it_is_written(tutorial: Tutorial, tmp_path: Path) -> None:
    softhsm()
    run(tutorial, tmp_path, HOW_TO / "keys-in-hsm-or-kms.md")


def test_the_pipeline_runs_as_it_is_written_and_reads_the_verdict(tutorial: Tutorial, tmp_path: Path) -> None:
    done = run(tutorial, tmp_path, HOW_TO / "gate-in-a-pipeline.md")
    assert "allowed\nsha256:" in done.said[0]
    assert done.said[1] == "go\n"


def test_a_model_is_claimed_as_it_is_written(tutorial: Tutorial, tmp_path: Path) -> None:
    project = copied(tutorial, tmp_path)
    register = (
        "from mlflow import MlflowClient\n"
        "client = MlflowClient()\n"
        "client.create_registered_model('churn')\n"
        "client.create_model_version('churn', client.get_model_version('credit', 2).source)\n"
    )
    made = project.python("-c", register)
    assert made.returncode == 0, made.stderr
    edit = "sed -i 's/models: \\[credit\\]/models: [credit, churn]/' aims.yaml"
    done = run_document(HOW_TO / "claim-a-model.md", project, tmp_path / "out", before={"aims config validate": edit})
    done.hold()


def test_a_policy_is_applied_as_it_is_written(tutorial: Tutorial, tmp_path: Path) -> None:
    page, project = HOW_TO / "apply-a-policy.md", copied(tutorial, tmp_path)
    edit = "sed -i 's/^  record: \\[model-owner\\]$/&\\n  policy: [model-owner]/' aims.yaml"
    run_document(page, project, tmp_path / "out", before={commands(page)[0].command: edit}).hold()
    (shown,) = [block.text for block in blocks(page) if block.language == "yaml"]
    assert textwrap.indent(shown, "  ") in (project.folder / "aims.yaml").read_text()


def test_a_requirement_is_waived_as_it_is_written(tutorial: Tutorial, tmp_path: Path) -> None:
    needs_tools()
    page, project = HOW_TO / "waive-a-requirement.md", copied(tutorial, tmp_path)
    (shown,) = [block.text for block in blocks(page) if block.language == "yaml"]
    person, trust = (part.partition("\n")[2].rstrip("\n") for part in shown.split("\n\n"))
    aims = project.folder / "aims.yaml"
    text = aims.read_text().replace("people:\n", f"people:\n{person}\n").replace("trust:  ", f"trust:\n{trust}  ", 1)
    aims.write_text(text.replace("{min: 0.75}", "{min: 0.999}"))
    run_document(page, project, tmp_path / "out").hold()


def test_personal_data_is_erased_as_it_is_written(tutorial: Tutorial, tmp_path: Path) -> None:
    needs_tools()
    page, project = HOW_TO / "erase-personal-data.md", copied(tutorial, tmp_path)
    (shown,) = [block.text for block in blocks(page) if block.language == "yaml"]
    person, trust = (part.partition("\n")[2].rstrip("\n") for part in shown.split("\n\n"))
    aims = project.folder / "aims.yaml"
    text = aims.read_text().replace("people:\n", f"people:\n{person}\n").replace("trust:  ", f"trust:\n{trust}  ", 1)
    aims.write_text(text)
    run_document(page, project, tmp_path / "out").hold()


def test_a_log_is_signed_and_witnessed_as_it_is_written(tutorial: Tutorial, tmp_path: Path) -> None:
    page, project = HOW_TO / "checkpoint-and-witness.md", copied(tutorial, tmp_path)
    (shown,) = [block.text for block in blocks(page) if block.language == "yaml"]
    people, _, log = shown.removeprefix("people:\n").partition("log:\n")
    file = project.folder / "aims.yaml"
    text = file.read_text().replace("people:\n", f"people:\n{people}", 1)
    file.write_text(f"{text}\nlog:\n{log}")
    run_document(page, project, tmp_path / "out").hold()


def test_a_check_of_ones_own_runs_as_it_is_written(tutorial: Tutorial, tmp_path: Path) -> None:
    page = HOW_TO / "write-a-check.md"
    project = copied(tutorial, tmp_path)
    by_language = {block.language: block for block in blocks(page)}
    assert len([line for line in by_language["python"].text.splitlines() if line]) <= 20
    installed = project.folder / "my_checks-0.1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: my-checks\nVersion: 0.1\n")
    (installed / "entry_points.txt").write_text(entry_points(by_language["toml"]))
    with (project.folder / "aims.yaml").open("a") as file:
        file.write(by_language["yaml"].text)
    run_document(page, project, tmp_path / "out", environment={"PYTHONPATH": str(project.folder)}).hold()


def entry_points(block: Block) -> str:
    """Write the group of a pyproject.toml as an installer would."""
    import tomllib

    ((group, entries),) = tomllib.loads(block.text)["project"]["entry-points"].items()
    return f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())


@pytest.fixture(scope="session")
def export(tutorial: Tutorial, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A folder that `aims evidence export` wrote, checked as the page says."""
    folder = tmp_path_factory.mktemp("verify")
    project = copied(tutorial, folder)
    done = run_document(HOW_TO / "verify-without-us.md", project, folder / "out")
    return done, project.folder / "evidence"


def needs_tools() -> None:
    for tool in ("openssl", "jq"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def test_an_export_verifies_without_us(export: tuple[Run, Path]) -> None:
    needs_tools()
    done, _folder = export
    done.hold()
    assert "Verified OK" in done.said[1]
    assert "11 leaves, the newest is sha256:" in done.said[2]


def test_other_tools_are_used_as_it_is_written(tutorial: Tutorial, tmp_path: Path) -> None:
    needs_tools()
    page, project = HOW_TO / "use-with-other-tools.md", copied(tutorial, tmp_path)
    done = run_document(page, project, tmp_path / "out", left_out={"pip install 'aims-mlops[oms]'"})
    done.hold()
    results, downloaded = done.said[1], project.folder / "model"
    assert '["PASSED",["demographic_parity_difference(sex)"],[]]' in results
    assert '"MODEL_GATE_ALLOWED"' in results
    assert (downloaded / "MLmodel").exists()
    assert done.said[-1] == "Verified OK\n"


def sh(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{text}"], cwd=folder, capture_output=True, text=True, check=False
    )


def envelope_lines() -> str:
    """The lines of the page that verify one envelope."""
    return next(block.text for block in blocks(HOW_TO / "verify-without-us.md") if block.language == "bash")


def test_an_ed25519_envelope_verifies_by_the_same_lines(export: tuple[Run, Path], tmp_path: Path) -> None:
    needs_tools()
    folder = tmp_path / "evidence"
    (folder / "keys").mkdir(parents=True)
    source = next(export[1].glob("*.dsse.json"))
    payload = Envelope.from_bytes(source.read_bytes()).payload
    private, public = new_key(tmp_path / "made", "pipeline", passphrase=b"for now", algorithm="ed25519")
    signer = FileSigner(private.parent, "pipeline", passphrase=lambda: b"for now")
    signed = Envelope(payload, (Signature(signer.key_id, signer.sign(pae(payload))),))
    (folder / source.name).write_bytes(signed.to_bytes())
    shutil.copy(public, folder / "keys" / "pipeline-ed25519.pub.pem")
    shutil.copy(export[1] / "MODEL.sha256", folder)
    done = sh(envelope_lines(), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout


def test_an_edited_envelope_does_not_verify_by_these_lines(export: tuple[Run, Path], tmp_path: Path) -> None:
    needs_tools()
    folder = shutil.copytree(export[1], tmp_path / "evidence")
    for path in folder.glob("*.dsse.json"):
        wire = json.loads(path.read_text())
        payload = base64.b64decode(wire["payload"]).replace(b'"workspace":"default"', b'"workspace":"another"')
        wire["payload"] = base64.b64encode(payload).decode()
        path.write_text(json.dumps(wire))
    done = sh(envelope_lines(), tmp_path)
    assert done.returncode != 0
    assert "Verified OK" not in done.stdout


def test_a_log_with_a_leaf_taken_out_does_not_verify_by_these_lines(export: tuple[Run, Path], tmp_path: Path) -> None:
    needs_tools()
    folder = shutil.copytree(export[1], tmp_path / "evidence")
    leaves = (folder / "leaves.jsonl").read_text().splitlines(keepends=True)
    (folder / "leaves.jsonl").write_text("".join(leaves[:3] + leaves[4:]))
    lines = [block.text for block in blocks(HOW_TO / "verify-without-us.md") if block.language == "bash"][1]
    done = sh(lines, tmp_path)
    assert done.returncode == 1
    assert "broken at" in done.stdout


def test_the_lines_of_the_readme_verify_an_export(export: tuple[Run, Path]) -> None:
    needs_tools()
    for block in blocks(ROOT / "README.md"):
        if block.language == "bash":
            done = sh(block.text, export[1])
            assert done.returncode == 0, done.stderr
            assert "Verified OK" in done.stdout


def test_the_shell_lines_give_the_digests_of_model_and_data(tutorial: Tutorial) -> None:
    tutorial.run.hold()
    of_model, of_data = (
        block.text for block in blocks(ROOT / "docs" / "predicates" / "README.md") if block.language == "bash"
    )
    folder = tutorial.project.folder
    result = next(folder.glob("mlruns/*/*/artifacts/aims/credit/2/*.dsse.json"))
    statement = json.loads(Envelope.from_bytes(result.read_bytes()).payload)
    evaluation = {use["name"]: use["digest"] for use in statement["predicate"]["header"]["datasets"]}["evaluation"]
    assert sh(of_data, folder).stdout[:64] == evaluation[7:]
    subject = statement["subject"][0]["digest"]["sha256"]
    models = [path.parent for path in folder.glob("mlruns/**/MLmodel")]
    assert subject in [sh(of_model, model).stdout[:64] for model in models]
