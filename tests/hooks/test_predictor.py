"""Running a model in a process of its own: what it answers, how it fails, and what a hostile one can reach."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from aims_mlops.errors import PredictorError
from aims_mlops.evidence import manifest
from aims_mlops.model.digest import Digest
from aims_mlops.plugin import PREDICTION, SCORE
from aims_mlops.ports import Snapshot
from aims_mlops_hooks.mlflow import predictor_child
from aims_mlops_hooks.mlflow.confine import hidden, landlock_abi
from aims_mlops_hooks.mlflow.predictor import ProcessPredictor, _failure
from tests.hooks.models import classifier, frame

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

needs_namespaces = pytest.mark.skipif(
    landlock_abi() == 0
    or subprocess.run(["unshare", "-Unip", "--fork", "true"], check=False, capture_output=True).returncode != 0,
    reason="this system forbids user namespaces",
)
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
    ("answer", "expected"),
    [
        pytest.param(["a", "b"], ["a", "b"], id="texts in a list"),
        pytest.param(pd.DataFrame({"x": [0, 1]}), [0, 1], id="a frame of one column"),
        pytest.param(np.array([[0.0], [1.0]]), [0.0, 1.0], id="a matrix of one column"),
        pytest.param(np.array([1, 0], dtype="int8"), [1, 0], id="small numbers"),
        pytest.param(pd.Series([True, False]), [True, False], id="a series of booleans"),
        pytest.param(pd.Series(["a", "b"], dtype="category"), ["a", "b"], id="categories"),
        pytest.param(pd.Series([1, None]), [1.0, None], id="a missing one, for the parent to refuse"),
    ],
)
def test_labels_come_in_many_forms(answer: object, expected: list[object]) -> None:
    array = predictor_child._labels(answer)
    assert array.to_pylist() == expected
    assert str(array.type) in ("string", "int64", "double", "bool")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(pd.DataFrame({"x": [0, 1], "y": [1, 0]}), id="several columns"),
        pytest.param(None, id="nothing"),
        pytest.param([], id="an empty list"),
        pytest.param([{"a": 1}], id="dictionaries"),
        pytest.param([object()], id="things"),
        pytest.param(["a", 1], id="a mixture"),
        pytest.param(pd.Series(pd.to_datetime(["2026-01-01"])), id="times"),
    ],
)
def test_what_is_not_one_label_for_each_row_is_refused(answer: object) -> None:
    with pytest.raises((TypeError, pa.ArrowException)):
        predictor_child._labels(answer)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("return [1] * (len(frame) - 1)", "the model answered 3 predictions for 4 rows", id="one too few"),
        pytest.param("return frame", "is not one label for each row", id="several columns"),
        pytest.param("return [1, None, 1, None]", "no prediction for fewer than 10 of 4 rows", id="some missing"),
        pytest.param("raise ValueError('Jane Doe, born 1970')", "fails in predict (ValueError)", id="an exception"),
        pytest.param(
            "class JaneDoe(KeyError): pass\nraise JaneDoe", "fails in predict (KeyError)", id="its own exception"
        ),
        pytest.param("sys.exit(3)", "ended before it answered (exit code 3)", id="an exit"),
        pytest.param("os._exit(9)", "ended before it answered (exit code 9)", id="its own end"),
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
    raw = (
        "import numpy\nclass Raw:\n    classes_ = [0, 1]\n"
        "    def predict_proba(self, f):\n        return numpy.full((len(f), 2), 1.5)"
    )
    own = model(tmp_path, "return [0] * len(frame)", load="Model.get_raw_model = lambda self: Raw()", more=raw)
    assert "answers numbers that are not probabilities" in str(refusal(ProcessPredictor(own)))


def test_more_than_two_classes_give_no_score(tmp_path: Path) -> None:
    raw = "class Raw:\n    classes_ = [0, 1, 2]\n    def predict_proba(self, f):\n        raise RuntimeError"
    own = model(tmp_path, "return [0] * len(frame)", load="Model.get_raw_model = lambda self: Raw()", more=raw)
    (answer,) = ProcessPredictor(own).predict(batches(frame(4)))
    assert answer.schema.names == [PREDICTION]


def test_another_type_in_the_next_batch_is_refused(tmp_path: Path) -> None:
    body = "Model.calls = getattr(Model, 'calls', 0) + 1\nreturn [1 if Model.calls < 2 else 'a'] * len(frame)"
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
    # The link leads to the number outside: in its own namespace the process is the first.
    own = model(tmp_path, "return [int(os.readlink('/proc/self'))] * len(frame)")
    answers = ProcessPredictor(own).predict(batches(frame(6), 2))
    child = next(answers)[PREDICTION].to_pylist()[0]
    assert Path(f"/proc/{child}").exists()
    assert hasattr(answers, "close")
    answers.close()
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process: int) -> bool:
    """Whether a process is there and not merely waiting to be noted as ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_no_rows_at_all_need_only_a_model_that_loads(saved: Snapshot) -> None:
    assert list(ProcessPredictor(saved).predict([])) == []


@pytest.mark.parametrize(
    "said", [b"", b"{}", b"[]", b'{"stage": "load", "type": "Jane Doe"}', b'{"stage": "x", "type": "print"}', b"\xff"]
)
def test_nothing_that_a_child_says_about_its_failure_is_repeated_unless_python_knows_it(said: bytes) -> None:
    error = _failure(said)
    assert "(an unknown error)" in str(error)
    assert "Jane" not in str(error)


# A hostile model: it makes every attempt inside predict, and what came of each is its prediction for one row.

_HOSTILE = """
import json
outcomes = []
for code in json.loads({codes!r}):
    place = dict(globals(), result=None)
    try:
        exec(code, place)
        outcomes.append("done: " + str(place["result"]))
    except BaseException as error:
        outcomes.append("refused: " + type(error).__name__)
return outcomes
"""

_REFUSED = {
    "a key by a relative path": "result = open('../keys/pipeline.pem').read()",
    "a key by its absolute path": "result = open(PROJECT + '/keys/pipeline.pem').read()",
    "the list of keys": "result = os.listdir(PROJECT + '/keys')",
    "the project's folder": "result = os.listdir(PROJECT)",
    "a key by way of proc": "result = open('/proc/self/root' + PROJECT + '/keys/pipeline.pem').read()",
    "a key by a link": "os.symlink(PROJECT + '/keys/pipeline.pem', 'l'); result = open('l').read()",
    "a key by a hard link": "os.link(PROJECT + '/keys/pipeline.pem', 'h'); result = open('h').read()",
    "a key by another program": "import subprocess as s; s.run(['cat', PROJECT + '/keys/pipeline.pem'], check=True)",
    "writing into the store": "open(PROJECT + '/aims.db', 'a').write('x')",
    "emptying the store": "os.truncate(PROJECT + '/aims.db', 0)",
    "deleting the store": "os.remove(PROJECT + '/aims.db')",
    "moving the store away": "os.rename(PROJECT + '/aims.db', 'stolen')",
    "the parent's environment": "result = open('/proc/%d/environ' % PARENT).read()",
    "the parent's memory": "result = open('/proc/%d/mem' % os.getppid(), 'rb').read(1)",
    "the parent's files": "result = os.listdir('/proc/%d/fd' % PARENT)",
    "the parent's end": "os.kill(PARENT, 0)",
    "changing its own folder": "open(PROJECT + '/private/model/MLmodel', 'a').write('x')",
    "adding to its own folder": "open(PROJECT + '/private/model/new', 'w').write('x')",
    "deleting from its own folder": "os.remove(PROJECT + '/private/model/MLmodel')",
    "linking into its own folder": "os.symlink('/etc/passwd', PROJECT + '/private/model/new')",
    "the users of the machine": "result = open('/etc/passwd').read()",
    "other people's temporary files": "result = os.listdir('/tmp')",
    "the network": "import socket; socket.create_connection(('127.0.0.1', PORT), 3).send(b'key')",
}

_UDP = "import socket as s; s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b'key', ('127.0.0.1', PORT))"

# What only a namespace of its own denies: Landlock has no word for it. The parent's number is known to the attempt.
_APART = {
    "the parent's limits": "import resource; result = resource.prlimit(PARENT, resource.RLIMIT_NOFILE)",
    "the parent's processors": "result = os.sched_getaffinity(PARENT)",
    "the parent's session": "result = os.getsid(PARENT)",
    "memory that processes share": """
import ctypes
result = ctypes.CDLL(None).shmget(SHARED, 0, 0)
if result < 0:
    raise OSError("no such memory")
""",
}

_ANSWERED = {
    "first of its processes": "result = (os.getpid(), os.getppid())",
    "environment": "result = sorted(os.environ.items())",
    "places": "result = (os.getcwd(), os.environ['HOME'], sys.path, sorted(os.listdir('.')))",
    "open files": "result = [os.readlink(p) for p in map('/proc/self/fd/{}'.format, range(64)) if os.path.lexists(p)]",
    "the network without TCP": _UDP,
    "temporary file": "import tempfile; result = tempfile.NamedTemporaryFile('w').write('abc')",
}

_SECRETS = {
    "AIMS_KEY_PASSPHRASE": "SECRET-passphrase",
    "AIMS_STORE": "SECRET-store",
    "MLFLOW_TRACKING_TOKEN": "SECRET-token",
    "AWS_SECRET_ACCESS_KEY": "SECRET-aws",
    "GITHUB_TOKEN": "SECRET-github",
    "DB_PASSWORD": "SECRET-db",
    "PYTHONPATH": "/SECRET",
}


@contextmanager
def _shared_memory() -> Iterator[int]:
    """Make a piece of System V shared memory that any process of this user may open by its number."""
    import ctypes

    libc, number, create, remove = ctypes.CDLL(None), int(uuid.uuid4()) & 0x7FFF_FFFF, 0o1600, 0
    found = libc.shmget(number, 4096, create)
    assert found >= 0
    try:
        yield number
    finally:
        libc.shmctl(found, remove, None)


class Hostile:
    """A project with a key, a store and secrets in the environment, and what a hostile model could do to it."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.heard: list[bytes] = []
        (project / "keys").mkdir()
        (project / "keys" / "pipeline.pem").write_text("SECRET KEY")
        (project / "aims.db").write_text("STORE")

    def run(self) -> None:
        codes = _REFUSED | _APART | _ANSWERED
        body = _HOSTILE.format(codes=json.dumps(list(codes.values())))
        with (
            _shared_memory() as memory,
            self._listening() as port,
            (self.project / "keys" / "pipeline.pem").open() as key,
        ):
            os.set_inheritable(key.fileno(), True)
            self.known = {"PARENT": os.getpid(), "SHARED": memory}
            known = "\n".join(f"{name} = {value}" for name, value in self.known.items())
            more = f"PROJECT, PORT = {str(self.project)!r}, {port}\n{known}"
            found = labels(ProcessPredictor(model(self.project, body, more=more)), frame(len(codes)))
        self.outcomes = dict(zip(codes, found, strict=True))

    @contextmanager
    def _listening(self) -> Iterator[int]:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            server.settimeout(0.2)
            yield server.getsockname()[1]
            with suppress(TimeoutError):
                self.heard.append(server.accept()[0].recv(100))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    found = Hostile(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _SECRETS.items():
            patch.setenv(name, value)
        patch.chdir(found.project)
        found.run()
    return found


@needs_landlock
@pytest.mark.parametrize("attempt", _REFUSED)
def test_a_hostile_model_is_refused(hostile: Hostile, attempt: str) -> None:
    assert hostile.outcomes[attempt].startswith("refused: ")


@needs_landlock
def test_a_hostile_model_leaves_everything_as_it_was(hostile: Hostile) -> None:
    assert (hostile.project / "aims.db").read_text() == "STORE"
    assert (hostile.project / "keys" / "pipeline.pem").read_text() == "SECRET KEY"
    assert hostile.heard == []
    assert not [name for name, outcome in hostile.outcomes.items() if "SECRET" in outcome]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    "attempt",
    [
        "a key by its absolute path",
        "the list of keys",
        "the project's folder",
        "a key by way of proc",
        "the users of the machine",
    ],
)
def test_the_same_attempt_succeeds_without_the_closing_off(hostile: Hostile, attempt: str) -> None:
    """Else its refusal would prove nothing."""
    place: dict[str, Any] = {"os": os, "PROJECT": str(hostile.project)}
    exec(_REFUSED[attempt], place)  # noqa: S102
    assert place["result"]


@needs_landlock
@needs_namespaces
def test_a_hostile_model_has_a_network_with_nothing_in_it(hostile: Hostile) -> None:
    assert hostile.outcomes["the network without TCP"].startswith("refused: ")


@needs_namespaces
@pytest.mark.parametrize("attempt", _APART)
def test_a_hostile_model_sees_no_process_and_no_shared_memory_but_its_own(hostile: Hostile, attempt: str) -> None:
    assert hostile.outcomes[attempt].startswith("refused: ")
    with _shared_memory() as memory:  # Here the same succeeds, else its refusal would prove nothing.
        place: dict[str, Any] = {"os": os, "PARENT": os.getpid(), "SHARED": memory}
        exec(_APART[attempt], place)  # noqa: S102


@needs_namespaces
def test_a_model_is_the_first_of_its_own_processes(hostile: Hostile) -> None:
    assert hostile.outcomes["first of its processes"] == "done: (1, 0)"


_GRANDCHILD = """
if not started:
    started.append(1)
    end, kept = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, ["python", "-I", "-c", "import time; time.sleep(600)", {token!r}])
        os._exit(0)
    os.close(kept)
    os.wait()
    assert os.read(end, 1) == b""
return [1] * len(frame)
"""


def _alive(token: str) -> bool:
    """Whether a process has this word on its command line."""
    found = False
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found = found or token.encode() in place.read_bytes()
    return found


@needs_namespaces
def test_what_a_model_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    token = uuid.uuid4().hex
    own = model(tmp_path, _GRANDCHILD.format(token=token), more="started = []")
    answers = ProcessPredictor(own).predict(batches(frame(8), 4))
    next(answers)
    assert _alive(token), "it left its parent and its session"
    assert len(list(answers)) == 1
    deadline = time.monotonic() + 10
    while _alive(token):
        assert time.monotonic() < deadline, "what the model started outlives it"
        time.sleep(0.1)


def test_a_model_sees_no_secret_in_its_environment(hostile: Hostile) -> None:
    found = hostile.outcomes["environment"]
    assert found.startswith("done: ")
    names = set(re.findall(r"\('([A-Z_a-z]+)', ", found))
    assert not names & set(_SECRETS)
    assert not {
        name for name in names if name.startswith(("AIMS", "AWS", "PYTHON")) or "TOKEN" in name or "PASS" in name
    }
    assert {name for name in names if name.startswith("MLFLOW")} == {
        "MLFLOW_TRACKING_URI",
        "MLFLOW_REGISTRY_URI",
        "MLFLOW_DISABLE_TELEMETRY",
    }


def test_a_model_starts_in_a_folder_of_its_own(hostile: Hostile) -> None:
    found = hostile.outcomes["places"]
    assert found.startswith("done: ")
    assert "aims-predict-" in found
    assert "keys" not in found
    assert f"'{hostile.project}'" not in found


def test_a_model_inherits_no_open_file(hostile: Hostile) -> None:
    found = hostile.outcomes["open files"]
    assert found.startswith("done: ")
    assert "pipe:" in found
    assert str(hostile.project) not in found


def test_a_model_may_write_to_its_temporary_folder(hostile: Hostile) -> None:
    assert hostile.outcomes["temporary file"] == "done: 3"


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aims_mlops_hooks.mlflow.predictor.landlock_abi", lambda: 0)
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE", "SECRET-passphrase")
    predictor = ProcessPredictor(model(tmp_path, "return [str(sorted(os.environ.items()))] * len(frame)"))
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
