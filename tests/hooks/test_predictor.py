"""Running a model in a process of its own: what it answers, how it fails, and what a hostile one can reach."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from aims_mlops.errors import PredictorError
from aims_mlops.evidence import manifest
from aims_mlops.model.digest import Digest
from aims_mlops.plugin import PREDICTION, SCORE
from aims_mlops.ports import Snapshot
from aims_mlops_hooks.mlflow.confine import hidden, landlock_abi
from aims_mlops_hooks.mlflow.predictor import ProcessPredictor, _failure
from hooks.models import classifier, frame

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

needs_landlock = pytest.mark.skipif(landlock_abi() < 6, reason="this kernel cannot close a process off with Landlock")

MLMODEL = """\
flavors:
  python_function:
    code: code
    loader_module: own_model
    python_version: 3.11.0
mlflow_version: 3.17.2
model_uuid: 0123456789abcdef0123456789abcdef
utc_time_created: '2026-11-21 00:00:00.000000'
"""


def snapshot(folder: Path) -> Snapshot:
    text = manifest.build(folder)
    return Snapshot(folder, text, Digest.of(text))


def model(tmp_path: Path, predict: str, *, load: str = "pass", more: str = "") -> Snapshot:
    """Write an MLflow model whose code is given: the body of `predict(frame)`, and what runs on loading."""
    folder = tmp_path / "private" / "model"
    (folder / "code").mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL)
    lines = ["import os, sys, time", more, "class Model:", "    def predict(self, frame):"]
    lines += [f"        {line}" for line in predict.splitlines()]
    lines += ["def _load_pyfunc(path):"] + [f"    {line}" for line in load.splitlines()] + ["    return Model()"]
    (folder / "code" / "own_model.py").write_text("\n".join(lines) + "\n")
    return snapshot(folder)


def batches(data: pd.DataFrame, size: int = 1000) -> list[pa.RecordBatch]:
    found: list[pa.RecordBatch] = pa.Table.from_pandas(data, preserve_index=False).to_batches(size)
    return found


def labels(predictor: ProcessPredictor, data: pd.DataFrame, size: int = 1000) -> list[Any]:
    return [label for batch in predictor.predict(batches(data, size)) for label in batch[PREDICTION].to_pylist()]


def refusal(predictor: ProcessPredictor, data: pd.DataFrame | None = None) -> PredictorError:
    with pytest.raises(PredictorError) as error:
        labels(predictor, frame(4) if data is None else data)
    assert error.value.hint
    return error.value


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    import mlflow

    folder = tmp_path_factory.mktemp("saved") / "model"
    mlflow.sklearn.save_model(classifier(), str(folder), pip_requirements=["scikit-learn"])
    return snapshot(folder)


def test_labels_and_scores_are_the_models_own_in_every_batch(saved: Snapshot) -> None:
    data, plain = frame(40), classifier()
    answers = list(ProcessPredictor(saved).predict(batches(data, 16)))
    assert [answer.num_rows for answer in answers] == [16, 16, 8]
    table = pa.Table.from_batches(answers)
    assert table[PREDICTION].to_pylist() == plain.predict(data).tolist()
    assert table[SCORE].to_pylist() == plain.predict_proba(data)[:, 1].tolist()


@pytest.mark.parametrize(
    ("positive", "column"), [pytest.param(0, 0, id="the other class"), pytest.param(True, 1, id="true is one")]
)
def test_the_score_is_that_of_the_positive_class(saved: Snapshot, positive: object, column: int) -> None:
    (answer,) = ProcessPredictor(saved, positive=positive).predict(batches(frame(8)))
    assert answer[SCORE].to_pylist() == classifier().predict_proba(frame(8))[:, column].tolist()


def test_without_a_class_equal_to_the_positive_label_there_is_no_score(saved: Snapshot) -> None:
    (answer,) = ProcessPredictor(saved, positive=">50K").predict(batches(frame(8)))
    assert answer.schema.names == [PREDICTION]


def test_columns_go_to_the_model_in_the_order_of_its_signature(tmp_path: Path) -> None:
    import mlflow

    data, plain = frame(20), classifier()
    mlflow.sklearn.save_model(
        plain, str(tmp_path / "model"), pip_requirements=["scikit-learn"], signature=mlflow.models.infer_signature(data)
    )
    shuffled = data.assign(other="text")[["other", "z", "x"]]
    (answer,) = ProcessPredictor(snapshot(tmp_path / "model")).predict(batches(shuffled))
    assert answer[SCORE].to_pylist() == plain.predict_proba(data)[:, 1].tolist()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("return ['a', 'b', 'a', 'b']", ["a", "b", "a", "b"], id="texts in a list"),
        pytest.param("return frame[['x']]", [0, 1, 2, 3], id="a frame of one column"),
        pytest.param("return frame['z'].to_numpy().reshape(-1, 1)", [0.0, 1.0, 2.0, 0.0], id="a matrix of one column"),
        pytest.param("return frame['x'] > 1", [False, False, True, True], id="a series of booleans"),
        pytest.param("return frame['x'].astype('category')", [0, 1, 2, 3], id="categories"),
    ],
)
def test_labels_come_in_many_forms(tmp_path: Path, body: str, expected: list[object]) -> None:
    predictor = ProcessPredictor(model(tmp_path, body))
    (answer,) = predictor.predict(batches(frame(4)))
    assert answer[PREDICTION].to_pylist() == expected
    assert answer.schema.names == [PREDICTION]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("return [1] * (len(frame) - 1)", "the model answered 3 predictions for 4 rows", id="one too few"),
        pytest.param("return [1] * (len(frame) + 1)", "the model answered 5 predictions for 4 rows", id="one too many"),
        pytest.param("return []", "is not one label for each row", id="none"),
        pytest.param("return frame", "is not one label for each row", id="several columns"),
        pytest.param("return None", "is not one label for each row", id="nothing"),
        pytest.param("return [{'a': 1}] * 4", "is not one label for each row", id="dictionaries"),
        pytest.param("return [1, None, 1, None]", "no prediction for 2 of 4 rows", id="some missing"),
        pytest.param("return [1.0, float('nan'), 1.0, 0.0]", "no prediction for 1 of 4 rows", id="not a number"),
        pytest.param("raise ValueError('Jane Doe, born 1970')", "fails in predict (ValueError)", id="an exception"),
        pytest.param(
            "class JaneDoe(KeyError): pass\nraise JaneDoe", "fails in predict (KeyError)", id="its own exception"
        ),
        pytest.param("sys.exit(3)", "ended before it answered (exit code 3)", id="an exit"),
        pytest.param("os.kill(os.getpid(), 9)", "ended before it answered (signal 9)", id="its own end"),
    ],
)
def test_an_answer_that_is_none_is_refused_without_its_words(tmp_path: Path, body: str, words: str) -> None:
    predictor = ProcessPredictor(model(tmp_path, body))
    error = refusal(predictor)
    assert words in str(error)
    assert "Jane" not in f"{error} {error.hint} {error.__cause__} {error.__context__}"
    if "Jane Doe" in body:
        assert "Jane Doe, born 1970" in predictor.detail


def test_scores_that_are_no_probabilities_are_refused(tmp_path: Path) -> None:
    raw = "class Raw:\n    classes_ = [0, 1]\n    def predict_proba(self, f):\n        import numpy\n        return numpy.full((len(f), 2), 1.5)"
    own = model(tmp_path, "return [0] * len(frame)", load="Model.get_raw_model = lambda self: Raw()", more=raw)
    assert "answers numbers that are not probabilities" in str(refusal(ProcessPredictor(own)))


def test_more_than_two_classes_give_no_score(tmp_path: Path) -> None:
    raw = "class Raw:\n    classes_ = [0, 1, 2]\n    def predict_proba(self, f):\n        raise RuntimeError"
    own = model(tmp_path, "return [0] * len(frame)", load="Model.get_raw_model = lambda self: Raw()", more=raw)
    (answer,) = ProcessPredictor(own).predict(batches(frame(4)))
    assert answer.schema.names == [PREDICTION]


def test_another_type_in_the_next_batch_is_refused(tmp_path: Path) -> None:
    body = "Model.calls = getattr(Model, 'calls', 0) + 1\nreturn [Model.calls] * len(frame) if Model.calls < 2 else ['a'] * len(frame)"
    with pytest.raises(PredictorError, match="another type from one batch to the next"):
        labels(ProcessPredictor(model(tmp_path, body)), frame(4), size=2)


@pytest.mark.parametrize(
    ("load", "type_"),
    [
        pytest.param("import nowhere_installed", "ModuleNotFoundError", id="a missing library"),
        pytest.param("open(os.path.join(path, 'weights'))", "FileNotFoundError", id="a missing file"),
        pytest.param("raise MemoryError", "MemoryError", id="too large"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_said_with_what_to_do(tmp_path: Path, load: str, type_: str) -> None:
    error = refusal(ProcessPredictor(model(tmp_path, "return []", load=load)))
    assert str(error) == f"the model cannot be loaded ({type_})"
    assert "install its requirements.txt" in error.hint
    assert "code_paths" in error.hint


def test_a_folder_that_is_no_model_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("w")
    assert "the model cannot be loaded" in str(refusal(ProcessPredictor(snapshot(tmp_path / "model"))))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("time.sleep(600)", id="sleeping"),
        pytest.param("while True: print('x' * 10000)", id="printing without end"),
        pytest.param("import subprocess\nsubprocess.run(['sleep', '600'])", id="waiting for a child of its own"),
    ],
)
def test_a_model_that_hangs_is_stopped(tmp_path: Path, body: str) -> None:
    own = model(tmp_path, body)
    predictor = ProcessPredictor(own, timeout=12)
    started = time.monotonic()
    error = refusal(predictor)
    assert str(error) == "the model did not answer within 12 seconds and was stopped"
    assert time.monotonic() - started < 40
    assert len(predictor.detail) <= 16_384


def test_what_a_model_prints_is_kept_for_the_terminal_and_disturbs_nothing(tmp_path: Path) -> None:
    body = (
        "print('one line', file=sys.stderr)\nos.write(1, b'raw' * 100000)\nprint('last line')\nreturn [1] * len(frame)"
    )
    predictor = ProcessPredictor(model(tmp_path, body))
    assert labels(predictor, frame(4)) == [1, 1, 1, 1]
    assert predictor.detail.endswith("last line")
    assert len(predictor.detail) <= 16_384


def test_a_consumer_that_stops_early_leaves_no_process(tmp_path: Path) -> None:
    own = model(tmp_path, "return [os.getpid()] * len(frame)")
    answers = ProcessPredictor(own).predict(batches(frame(6), 2))
    child = next(answers)[PREDICTION].to_pylist()[0]
    assert Path(f"/proc/{child}").exists()
    assert hasattr(answers, "close")
    answers.close()
    assert not Path(f"/proc/{child}").exists()


def test_no_rows_at_all_need_only_a_model_that_loads(saved: Snapshot) -> None:
    assert list(ProcessPredictor(saved).predict([])) == []


@pytest.mark.parametrize(
    "said", [b"", b"{}", b"[]", b'{"stage": "load", "type": "Jane Doe"}', b'{"stage": "x", "type": "print"}', b"\xff"]
)
def test_nothing_that_a_child_says_about_its_failure_is_repeated_unless_python_knows_it(said: bytes) -> None:
    error = _failure(said)
    assert "(an unknown error)" in str(error)
    assert "Jane" not in str(error)


# A hostile model: each attempt is made inside predict, and what came of it is its prediction.

_ATTEMPT = """
try:
    {attempt}
    outcome = "done: " + str(result)
except BaseException as error:
    outcome = "refused: " + type(error).__name__
return [outcome] * len(frame)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a key, a store and a passphrase in the environment, as somebody would have it."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "pipeline.pem").write_text("SECRET KEY")
    (tmp_path / "aims.db").write_text("STORE")
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE", "SECRET-passphrase")
    monkeypatch.setenv("AIMS_STORE", "SECRET-store")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "SECRET-token")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET-aws")
    monkeypatch.setenv("GITHUB_TOKEN", "SECRET-github")
    monkeypatch.setenv("DB_PASSWORD", "SECRET-db")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def attempt(project: Path, code: str) -> str:
    """Let a hostile model try something, and return what it says came of it."""
    found = labels(ProcessPredictor(model(project, _ATTEMPT.format(attempt=code))), frame(2))
    assert len(set(found)) == 1
    return str(found[0])


def test_a_model_sees_no_secret_in_its_environment(project: Path) -> None:
    found = attempt(project, "result = sorted(os.environ.items())")
    assert "done: " in found
    assert "SECRET" not in found
    names = set(re.findall(r"\('([A-Z_a-z]+)', ", found))
    assert not {
        name for name in names if name.startswith(("AIMS", "AWS", "PYTHON")) or "TOKEN" in name or "PASS" in name
    }
    assert {name for name in names if name.startswith("MLFLOW")} == {
        "MLFLOW_TRACKING_URI",
        "MLFLOW_REGISTRY_URI",
        "MLFLOW_DISABLE_TELEMETRY",
    }


def test_a_model_finds_neither_the_project_nor_our_folder(project: Path) -> None:
    found = attempt(project, "result = (os.getcwd(), os.environ['HOME'], sys.path, sorted(os.listdir('.')))")
    assert str(project / "keys") not in found
    assert "aims-predict-" in found
    assert "keys" not in found
    assert f"'{project}'" not in found


@needs_landlock
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("result = open('../keys/pipeline.pem').read()", id="a key by a relative path"),
        pytest.param("result = open({project!r} + '/keys/pipeline.pem').read()", id="a key by its absolute path"),
        pytest.param("result = os.listdir({project!r} + '/keys')", id="the list of keys"),
        pytest.param("result = os.listdir({project!r})", id="the project's folder"),
        pytest.param("result = open('/proc/self/root' + {project!r} + '/keys/pipeline.pem').read()", id="a key by way of proc"),
        pytest.param("result = os.symlink({project!r} + '/keys/pipeline.pem', 'l') or open('l').read()", id="a key by a link"),
        pytest.param("result = os.link({project!r} + '/keys/pipeline.pem', 'l') or open('l').read()", id="a key by a hard link"),
        pytest.param("result = open({project!r} + '/aims.db', 'a').write('x')", id="writing into the store"),
        pytest.param("result = os.truncate({project!r} + '/aims.db', 0)", id="emptying the store"),
        pytest.param("result = os.remove({project!r} + '/aims.db')", id="deleting the store"),
        pytest.param("result = os.rename({project!r} + '/aims.db', 'stolen')", id="moving the store away"),
        pytest.param("result = open('/proc/%d/environ' % os.getppid()).read()", id="the parent's environment"),
        pytest.param("result = open('/proc/%d/mem' % os.getppid(), 'rb').read(1)", id="the parent's memory"),
        pytest.param("result = os.listdir('/proc/%d/fd' % os.getppid())", id="the parent's files"),
        pytest.param("result = os.kill(os.getppid(), 15)", id="the parent's end"),
        pytest.param("result = open(os.path.join({model!r}, 'MLmodel'), 'a').write('x')", id="changing its own folder"),
        pytest.param("result = open(os.path.join({model!r}, 'new'), 'w').write('x')", id="adding to its own folder"),
        pytest.param("result = os.remove(os.path.join({model!r}, 'MLmodel'))", id="deleting from its own folder"),
        pytest.param("result = os.chdir({model!r}) or open('new', 'w')", id="its own folder from inside"),
        pytest.param("result = open('/etc/passwd').read()", id="the users of the machine"),
        pytest.param("result = os.listdir(os.path.expanduser('~root'))", id="somebody's home"),
        pytest.param("result = os.listdir('/tmp')", id="other people's temporary files"),
        pytest.param("import subprocess; result = subprocess.run(['cat', {project!r} + '/aims.db'], check=True)", id="a key by way of another program"),
    ],
)  # fmt: skip
def test_a_hostile_model_is_refused(project: Path, code: str) -> None:
    code = code.format(project=str(project), model=str(project / "private" / "model"))
    assert attempt(project, code).startswith("refused: ")
    assert (project / "aims.db").read_text() == "STORE"
    assert (project / "keys" / "pipeline.pem").read_text() == "SECRET KEY"


@pytest.fixture
def listening() -> Iterator[tuple[str, list[bytes]]]:
    """A TCP server on this machine that keeps what it is told."""
    heard: list[bytes] = []

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(100))

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield str(server.getsockname()[1]), heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@needs_landlock
def test_a_hostile_model_reaches_no_network(project: Path, listening: tuple[str, list[bytes]]) -> None:
    port, heard = listening
    code = f"import socket; result = socket.create_connection(('127.0.0.1', {port}), 3).send(b'key')"
    assert attempt(project, code).startswith("refused: ")
    assert heard == []


def test_a_hostile_model_inherits_no_open_file(project: Path) -> None:
    with (project / "keys" / "pipeline.pem").open() as key:
        os.set_inheritable(key.fileno(), True)
        found = attempt(
            project,
            "result = [os.readlink('/proc/self/fd/%s' % n) for n in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/%s' % n)]",
        )
    assert "pipeline.pem" not in found
    assert "aims.db" not in found


def test_a_model_may_write_to_its_temporary_folder(project: Path) -> None:
    code = "import tempfile; f = tempfile.NamedTemporaryFile('w'); result = f.write('abc')"
    assert attempt(project, code) == "done: 3"


def test_a_folder_that_changed_during_the_run_is_refused(tmp_path: Path) -> None:
    own = model(tmp_path, "return [1] * len(frame)")

    def meddling() -> Iterator[pa.RecordBatch]:
        yield from batches(frame(4))
        (own.folder / "code" / "own_model.py").write_text("changed by somebody")

    with pytest.raises(PredictorError, match="the model changed its own folder while it was being checked"):
        list(ProcessPredictor(own).predict(meddling()))


def test_the_evidence_says_how_the_process_was_held_apart(saved: Snapshot) -> None:
    abi = landlock_abi()
    assert ProcessPredictor(saved).isolation == (f"landlock-{abi}" if abi else "process")


def test_without_landlock_the_model_still_runs_in_a_clean_process(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aims_mlops_hooks.mlflow.predictor.landlock_abi", lambda: 0)
    predictor = ProcessPredictor(model(project, "return [str(sorted(os.environ.items()))] * len(frame)"))
    assert predictor.isolation == "process"
    assert "SECRET" not in labels(predictor, frame(2))[0]


def test_a_kernel_that_promises_and_refuses_stops_the_run(saved: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = ProcessPredictor(saved)
    monkeypatch.setattr(predictor, "_abi", 0x7FFF_FFFF)
    monkeypatch.setattr("aims_mlops_hooks.mlflow.predictor._library_folders", lambda: ["\0"])
    assert "could not be closed off from this machine (ValueError)" in str(refusal(predictor))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has it")
def test_without_landlock_the_parent_hides_its_own_environment() -> None:
    import ctypes

    libc = ctypes.CDLL(None)
    with hidden(7):
        assert libc.prctl(3, 0, 0, 0, 0) == 1
    with hidden(0):
        assert libc.prctl(3, 0, 0, 0, 0) == 0
    assert libc.prctl(3, 0, 0, 0, 0) == 1
