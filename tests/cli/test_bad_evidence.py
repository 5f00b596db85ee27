"""Evidence that was edited, cut, forged or borrowed, and model files that changed: never a yes, and said which."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from aims_mlops.evidence.log import Leaf
from aims_mlops.model.digest import Digest
from tests.cli.loans import EARLIER, Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

FIRST = "(select payload from aims_leaf where seq = 0)"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            "update aims_envelope set envelope = replace(cast(envelope as text), 'A', 'B') where payload = " + FIRST,
            "leaf 0: the envelope is not the one that was appended",
            id="a statement was edited",
        ),
        pytest.param(
            "update aims_envelope set envelope = substr(envelope, 1, 100) where payload = " + FIRST,
            "leaf 0: the envelope is not the one that was appended",
            id="a statement was truncated",
        ),
        pytest.param(
            'update aims_leaf set leaf = replace(cast(leaf as text), \'"capturedAt":"2\', \'"capturedAt":"3\')'
            " where seq = 0",
            "leaf 1 does not follow from the one before it",
            id="a leaf's row was edited",
        ),
        pytest.param(
            "update aims_leaf set leaf = 'nothing' where seq = 0",
            "row 0: leaf:",
            id="a leaf's row was written over",
        ),
    ],
)
def test_edited_evidence_is_untrusted(loans: Loans, change: str, says: str) -> None:
    loans.sql(change)
    denied = loans.aims("gate", "loan/1", "--to", "champion", expect=4)
    denied.says("denied for champion", "integrity is untrusted", says, "aims evidence verify names each place")
    loans.aims("promote", "loan/1", "--to", "champion", expect=4).says("integrity is untrusted", says)
    loans.aims("evidence", "verify", "loan/1", expect=4).says("tampered", says, "DOES NOT VERIFY")
    assert loans.aliases() == {}
    assert len(loans.payloads()) == EARLIER + 2, "both refusals are recorded"


def test_an_edited_newest_leaf_is_untrusted_and_nothing_is_appended_after_it(loans: Loans) -> None:
    loans.sql("update aims_leaf set leaf = replace(cast(leaf as text), 'gate-decision', 'check-result') where seq = 5")
    denied = loans.aims("gate", "loan/1", "--to", "champion", expect=4)
    denied.says("integrity is untrusted", "leaf 5 is not the leaf that was seen there before", "NOT RECORDED")
    loans.aims("evidence", "verify", "loan/1", expect=4).says("tampered", "leaf 5")
    assert len(loans.payloads()) == EARLIER


@pytest.mark.parametrize(
    ("changes", "says", "appended"),
    [
        pytest.param(
            ("delete from aims_leaf where seq = 5",), "leaf 5 was seen: its tail is cut off", 0, id="the tail"
        ),
        pytest.param(
            (
                "delete from aims_leaf where seq >= 3",
                "delete from aims_envelope where payload not in (select payload from aims_leaf)",
            ),
            "the log ends at leaf 2, but leaf 5 was seen: its tail is cut off",
            0,
            id="the tail and its statements",
        ),
        pytest.param(
            ("delete from aims_leaf", "delete from aims_envelope"),
            "leaf 5 was seen: its tail is cut off",
            0,
            id="everything",
        ),
        pytest.param(
            ("delete from aims_leaf where seq = 1",), "after leaf 0 comes leaf 2", 1, id="a leaf in the middle"
        ),
        pytest.param(
            ("delete from aims_envelope where payload = " + FIRST,),
            "the statement of leaf 0 is gone",
            1,
            id="a statement",
        ),
    ],
)
def test_a_log_with_something_cut_out_leaves_the_gate_undecided(
    loans: Loans, changes: tuple[str, ...], says: str, appended: int
) -> None:
    for change in changes:
        loans.sql(change)
    left = len(loans.payloads())
    said = loans.aims("gate", "loan/1", "--to", "champion", expect=3)
    said.says("undecided for champion", "the log has a hole", says, "restore the store from its backup")
    assert ("NOT RECORDED" in said.out) is not appended
    loans.aims("promote", "loan/1", "--to", "champion", expect=3).says("undecided", says)
    loans.aims("evidence", "verify", "loan/1", expect=4).says("hole", says, "DOES NOT VERIFY")
    assert loans.aliases() == {}
    assert len(loans.payloads()) == left + 2 * appended


def test_a_head_that_is_gone_leaves_the_gate_undecided(loans: Loans) -> None:
    (loans.folder / "aims.db.head").unlink()
    said = loans.aims("gate", "loan/1", "--to", "champion", expect=3)
    said.says("undecided", "no head of it is kept outside the store")
    assert len(loans.payloads()) == EARLIER


def test_look_up_columns_decide_nothing(loans: Loans) -> None:
    before = loans.payloads()
    loans.sql("update aims_leaf set model = 'other', version = '9', system = 'x', type = 'y', subject = 'z'")
    loans.aims("gate", "loan/1", "--to", "champion", expect=0).says("allowed for champion")
    label = loans.create("loan", str(loans.model))
    loans.sql("update aims_leaf set model = 'loan', version = '2'")
    loans.aims("gate", label, "--to", "champion", expect=1).says("denied", f"no record for {label}")
    loans.log_holds(more=2, before=before)


def test_evidence_of_another_version_does_not_serve_even_for_the_same_files(loans: Loans) -> None:
    before, label = loans.payloads(), loans.create("loan", str(loans.model))
    denied = loans.aims("gate", label, "--to", "champion", expect=1)
    denied.says("parity", "is missing", f"no record for {label}", f"aims check {label}")
    loans.log_holds(more=1, before=before)


def test_evidence_signed_by_a_key_that_is_not_trusted_for_it_does_not_count(loans: Loans) -> None:
    before, label = loans.payloads(), loans.create("loan", str(loans.model))
    loans.keep_drift_alone()
    loans.aims("--as", "risk-officer", "check", label, expect=0).says("1 check passed")
    denied = loans.aims("gate", label, "--to", "champion", expect=4)
    denied.says("denied", "drift is untrusted", "signed by a key that the policy does not trust for it")
    loans.aims("evidence", "verify", label, expect=4).says("untrusted", "is not signed by anyone trusted for it")
    assert loans.payloads()[:EARLIER] == before
    loans.aims("check", label, expect=0)
    loans.aims("gate", label, "--to", "champion", expect=0).says("allowed for champion")


def test_a_stranger_cannot_shut_the_gate_over_trusted_evidence(loans: Loans) -> None:
    loans.aims("--as", "risk-officer", "check", "loan/1", "--only", "drift", expect=0)
    loans.aims("gate", "loan/1", "--to", "champion", expect=0).says("allowed for champion")


def change(model: Path) -> None:
    with (model / "conda.yaml").open("ab") as file:
        file.write(b"# changed\n")


def add(model: Path) -> None:
    (model / "more.py").write_text("print('hello')\n")


def remove(model: Path) -> None:
    (model / "conda.yaml").unlink()


def link(model: Path) -> None:
    kept = model.parent / "conda.yaml"
    (model / "conda.yaml").rename(kept)
    (model / "conda.yaml").symlink_to(kept)


@pytest.mark.parametrize(
    ("spoil", "gate", "verify"),
    [
        pytest.param(change, "recorded for other files", "changed: conda.yaml", id="a file was changed"),
        pytest.param(add, "recorded for other files", "added: more.py", id="a file was added"),
        pytest.param(remove, "recorded for other files", "removed: conda.yaml", id="a file was removed"),
        pytest.param(link, "conda.yaml", "conda.yaml", id="a file was replaced by a link"),
    ],
)
def test_a_model_that_changed_after_the_check_is_mismatched(
    loans: Loans, spoil: Callable[[Path], None], gate: str, verify: str
) -> None:
    before = loans.payloads()
    spoil(loans.model)
    denied = loans.aims("gate", "loan/1", "--to", "champion", expect=4).says("denied", "is mismatched", gate)
    assert "next:" in denied.out
    loans.aims("promote", "loan/1", "--to", "champion", expect=4).says("is mismatched")
    loans.aims("evidence", "verify", "loan/1", expect=4).says("mismatched", verify)
    assert loans.aliases() == {}
    loans.log_holds(more=2, before=before)


def test_a_model_that_somebody_loaded_in_between_is_the_same_model(loans: Loans) -> None:
    import mlflow

    before = loans.payloads()
    with loans.inside():
        mlflow.pyfunc.load_model("models:/loan/1")
    assert (loans.model / "registered_model_meta").exists(), "MLflow wrote into the model's folder"
    loans.aims("evidence", "verify", "loan/1", expect=0).says("loan/1")
    loans.aims("gate", "loan/1", "--to", "champion", expect=0).says("allowed for champion")
    loans.log_holds(more=1, before=before)


def test_files_that_are_away_leave_the_gate_undecided(loans: Loans) -> None:
    before, model = loans.payloads(), loans.model
    os.rename(model, model.with_name("elsewhere"))  # noqa: PTH104  # as an operator would
    said = loans.aims("gate", "loan/1", "--to", "champion", expect=3)
    said.says("undecided", "the files of loan/1 are not at", "make the model's files readable, then ask again")
    loans.aims("check", "loan/1", expect=3).says("the files of loan/1 are not at", "run this where")
    loans.log_holds(more=1, before=before)


def test_a_model_that_was_deleted_and_registered_anew_starts_without_evidence(loans: Loans) -> None:
    from mlflow import MlflowClient

    before, model = loans.payloads(), loans.model
    with loans.inside():
        MlflowClient(loans.uri, loans.uri).delete_registered_model("loan")
    label = loans.create("loan", str(model))
    assert label == "loan/1"
    denied = loans.aims("gate", label, "--to", "champion", expect=4)
    denied.says("mismatched", "recorded for another registration of this name and number", "aims check loan/1")
    loans.log_holds(more=1, before=before)


def test_a_policy_that_was_edited_after_the_check_makes_its_evidence_stale(loans: Loans) -> None:
    before = loans.payloads()
    loans.edit("{demographic_parity_difference: {max: 0.2}}", "{demographic_parity_difference: {max: 0.9}}")
    denied = loans.aims("gate", "loan/1", "--to", "champion", expect=1)
    denied.says("denied", "parity is stale", "measured under another policy than today's", "aims check loan/1")
    loans.edit("name: Loan Model Owner", "name: Another Owner")
    loans.edit("{demographic_parity_difference: {max: 0.9}}", "{demographic_parity_difference: {max: 0.2}}")
    loans.aims("gate", "loan/1", "--to", "champion", expect=0).says("allowed", "Another Owner")
    loans.log_holds(more=2, before=before)


def append_again(loans: Loans, seq: int) -> int:
    """Append an old statement's leaf once more, as whoever can write to the database could; return its place."""
    (kept,), (last,) = (
        loans.sql("select cast(leaf as blob), type, subject, model, version, system from aims_leaf where " + which)
        for which in (f"seq = {seq}", "seq = (select max(seq) from aims_leaf)")
    )
    end, old = Leaf.from_bytes(last[0]), Leaf.from_bytes(kept[0])
    content = replace(old, seq=end.seq + 1, prev=Digest.of(last[0])).to_bytes()
    looked_up = (end.seq + 1, content, str(Digest.of(content)), str(Digest.of(b"rubbish")), *kept[1:])
    loans.sql(
        "insert into aims_leaf (seq, leaf, digest, payload, type, subject, model, version, system)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *looked_up,
    )
    return end.seq + 1


def test_an_old_pass_that_is_appended_again_shuts_the_gate_and_cannot_be_pinned(loans: Loans) -> None:
    place = append_again(loans, 1)
    says = f"leaf {place} repeats the statement of leaf 1: a statement is appended once"
    loans.aims("evidence", "verify", expect=4).says("tampered", says, "DOES NOT VERIFY")
    loans.aims("evidence", "verify", "--pin", expect=4).says("the log does not hold", says)
    loans.aims("gate", "loan/1", "--to", "champion", expect=4).says("denied", "integrity is untrusted", says)
    loans.aims("promote", "loan/1", "--to", "champion", expect=4).says(says)
    loans.aims("evidence", "list", expect=4).says("tampered", says)
    assert loans.aliases() == {}


def test_an_edited_statement_is_neither_shown_nor_exported_and_is_listed_as_tampered(
    loans: Loans, tmp_path: Path
) -> None:
    digest = loans.payloads()[0]
    loans.aims("evidence", "show", digest, expect=0)
    loans.sql("update aims_envelope set envelope = replace(cast(envelope as text), 'A', 'B') where payload = " + FIRST)
    what = "leaf 0: the envelope is not the one that was appended"
    shown = loans.aims("evidence", "show", digest, expect=4).says("does not hold", what)
    assert shown.out == ""
    listed = loans.aims("evidence", "list", "loan/1", "--format", "json", expect=4).json
    assert [row["state"] for row in listed] == ["tampered"] + ["verified"] * (EARLIER - 1)
    assert (listed[0]["says"], listed[0]["digest"], listed[0]["kind"]) == (what, None, "-")
    loans.aims("evidence", "export", "loan/1", "-o", str(tmp_path / "out"), expect=4).says(
        "the log does not hold", what
    )
    assert not (tmp_path / "out").exists()


def test_a_statement_that_is_gone_is_listed_as_a_hole_and_not_exported(loans: Loans, tmp_path: Path) -> None:
    loans.sql("delete from aims_envelope where payload = " + FIRST)
    listed = loans.aims("evidence", "list", "--format", "json", expect=3).json
    assert [row["state"] for row in listed] == ["hole"] + ["verified"] * (EARLIER - 1)
    loans.aims("evidence", "export", "loan/1", "-o", str(tmp_path / "out"), expect=4).says("is gone")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("written", ["{folder}", "file://{folder}", "{folder}/", "file://{folder}/.", "runs:/{run}/"])
def test_what_is_attached_to_a_run_does_not_change_a_model_that_is_the_whole_run(loans: Loans, written: str) -> None:
    from mlflow import MlflowClient

    loans.keep_drift_alone()
    with loans.inside():
        client = MlflowClient(loans.uri, loans.uri)
        run = client.create_run(client.create_experiment("whole", artifact_location=str(loans.folder / "whole")))
        place = Path(run.info.artifact_uri.removeprefix("file://"))
        shutil.copytree(loans.model, place, dirs_exist_ok=True)
        version = client.create_model_version(
            "loan", written.format(folder=place, run=run.info.run_id), run_id=run.info.run_id
        ).version
    before = sorted(place.rglob("*"))
    loans.aims("check", f"loan/{version}", expect=0)
    assert sorted(place.rglob("*")) == before
    loans.aims("gate", f"loan/{version}", "--to", "champion", expect=0).says("allowed for champion")
    loans.aims("evidence", "verify", f"loan/{version}", expect=0)
