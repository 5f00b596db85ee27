"""Runs a model version in a process of its own that has no key, passphrase, store or token, and little else."""

from __future__ import annotations

import builtins
import importlib.util
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aims_mlops.api import manifest
from aims_mlops.errors import PredictorError, VerificationError
from aims_mlops.plugin import PREDICTION, SCORE, counted, require
from aims_mlops.ports import Snapshot
from aims_mlops_hooks.mlflow.confine import hidden, landlock_abi
from aims_mlops_hooks.mlflow.process import Ended, Process, TimedOut

if TYPE_CHECKING:
    import pyarrow as pa

TIMEOUT = 600.0
"""Seconds that a model has for loading, and again for each batch."""

_PASSED_ON = ("PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_LIBRARIES = ("mlflow", "pyarrow", "pandas", "numpy")
_PLAIN = ("bool", "int64", "double", "string")

_SAID = {
    "libraries": (
        "the process of the model lacks a library that every model needs ({type})",
        "pip install 'aims-mlops[data]' in the environment that runs aims",
    ),
    "load": (
        "the model cannot be loaded ({type})",
        "install its requirements.txt here; log your own code along (code_paths=...), and name trusted types for skops",
    ),
    "predict": (
        "the model fails in predict ({type})",
        "see that the data has the columns and types it was trained with; it has no network and no files but its own",
    ),
    "answer": (
        "the model answers with something that is not one label for each row ({type})",
        "predict must give one number, text or boolean for each row",
    ),
}
_OTHERWISE = (
    "the process of the model could not be closed off from this machine ({type})",
    "its kernel offers Landlock and refuses it (a container's seccomp profile may): allow it, or run elsewhere",
)


class ProcessPredictor:
    """Implements `aims_mlops.plugin.Predictor` for a snapshot of an MLflow model; a new process for each `predict`.

    `positive` is the label whose probability is the score (None: 1 or true). Where the model has not exactly two
    classes, none equal to it, or no `predict_proba`, there is no score.
    """

    def __init__(self, snapshot: Snapshot, *, positive: object = None, timeout: float = TIMEOUT) -> None:
        """Keep what to run; nothing is started yet."""
        self._snapshot, self._positive, self._timeout = snapshot, positive, timeout
        self._abi = landlock_abi()
        self.detail = ""
        """The last lines that the model printed, for the terminal only: they may hold anything."""

    @property
    def isolation(self) -> str:
        """`landlock-N` with the kernel's ABI number, or `process` where only a clean process can be had."""
        return f"landlock-{self._abi}" if self._abi else "process"

    def predict(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield for each batch one of the same length with PREDICTION and, where the model has one, SCORE.

        Raises `PredictorError` where the model cannot be loaded, fails, hangs, answers something else, or has changed
        its own folder when the last batch is done. Texts of the model's exceptions are in its `detail` only.
        """
        require("pyarrow", extra="data")
        try:
            yield from self._run(batches)
        except PredictorError as error:
            error.detail = self.detail
            raise
        self._must_be_unchanged()

    def _run(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with (
            tempfile.TemporaryDirectory(prefix="aims-predict-", ignore_cleanup_errors=True) as private,
            hidden(self._abi),
        ):
            script = str(Path(__file__).with_name("predictor_child.py"))
            process = Process(script, folder=private, environment=_environment(private))
            try:
                self._ask(process, b"J", self._job(), b"R", limit=0)
                yield from self._answers(process, batches)
            finally:
                self.detail = process.close()

    def _answers(self, process: Process, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        schema = None
        for batch in batches:
            limit = (1 << 20) + 1024 * batch.num_rows
            answer = _read(self._ask(process, b"B", _write(batch), b"B", limit=limit), batch.num_rows)
            if schema is not None and answer.schema != schema:
                raise PredictorError(
                    "the model answers with another type from one batch to the next", hint=_SAID["answer"][1]
                )
            schema = answer.schema
            yield answer

    def _ask(self, process: Process, letter: bytes, content: bytes, expected: bytes, *, limit: int) -> bytes:
        """Send one frame and return the content of the one that answers it."""
        try:
            said, answer = process.exchange(letter, content, timeout=self._timeout, limit=limit)
        except TimedOut:
            raise PredictorError(
                f"the model did not answer within {self._timeout:g} seconds and was stopped",
                hint="make it faster, or give it fewer rows",
            ) from None
        except Ended as error:
            raise PredictorError(
                f"the process of the model ended before it answered ({error})",
                hint="it may have needed more memory than there is, or have ended itself",
            ) from None
        if said == b"E":
            raise _failure(answer)
        if said != expected:
            raise PredictorError(
                "the process of the model broke the protocol", hint="the model interferes with its process"
            )
        return answer

    def _job(self) -> bytes:
        job = {
            "model": str(self._snapshot.folder.resolve()),
            "positive": self._positive,
            "prediction": PREDICTION,
            "score": SCORE,
            "abi": self._abi,
            "libraries": _library_folders(),
        }
        return json.dumps(job).encode()

    def _must_be_unchanged(self) -> None:
        try:
            unchanged = manifest.build(self._snapshot.folder) == self._snapshot.manifest
        except VerificationError:
            unchanged = False
        if not unchanged:
            raise PredictorError(
                "the model changed its own folder while it was being checked",
                hint="a model must not write into its folder; log it again without that",
            )


def _environment(private: str) -> Mapping[str, str]:
    """Build the child's environment from an allow-list; nothing else of ours is passed on."""
    passed = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    cores = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    threads = {name: os.environ.get(name, cores) for name in _THREADS}
    return {
        **passed,
        **threads,
        "HOME": private,
        "TMPDIR": private,
        "USER": "aims",
        "MLFLOW_TRACKING_URI": f"file://{private}/mlruns",
        "MLFLOW_REGISTRY_URI": f"file://{private}/mlruns",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def _library_folders() -> list[str]:
    """Return the folders that our libraries come from, since the child sees neither user site nor PYTHONPATH."""
    specs = (importlib.util.find_spec(name) for name in _LIBRARIES)
    found = {str(Path(spec.origin).parents[1]) for spec in specs if spec is not None and spec.origin is not None}
    return sorted(folder for folder in found if Path(folder).name in ("site-packages", "dist-packages"))


def _failure(answer: bytes) -> PredictorError:
    """Name a failure by its stage and a type of Python's own; nothing else that the child says is repeated."""
    try:
        told = json.loads(answer)
        stage, name = str(told["stage"]), str(told["type"])
    except (ValueError, KeyError, TypeError):
        stage, name = "", ""
    kind = getattr(builtins, name, None)
    known = name if isinstance(kind, type) and issubclass(kind, BaseException) else "an unknown error"
    message, hint = _SAID.get(stage, _OTHERWISE)
    return PredictorError(message.format(type=known), hint=hint)


def _write(batch: pa.RecordBatch) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def _read(content: bytes, rows: int) -> Any:
    """Read what the child answers as from a stranger: plain types only, every buffer validated, exactly our columns."""
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(content) as stream:
            plain = all(str(field.type) in _PLAIN and field.metadata is None for field in stream.schema)
            table = stream.read_all() if plain else None
        if table is not None:
            table.validate(full=True)
    except (pa.ArrowException, ValueError, OSError):
        table = None
    if table is None or table.column_names not in ([PREDICTION], [PREDICTION, SCORE]):
        raise PredictorError(_SAID["answer"][0].format(type="no plain column"), hint=_SAID["answer"][1])
    if table.num_rows != rows:
        raise PredictorError(
            f"the model answered {table.num_rows} predictions for {rows} rows",
            hint="predict must give one label for each row",
        )
    _must_be_complete(table)
    return table.combine_chunks().to_batches()[0] if rows else pa.RecordBatch.from_pylist([], schema=table.schema)


def _must_be_complete(table: Any) -> None:
    import pyarrow.compute as pc

    labels = table[PREDICTION]
    missing = pc.sum(pc.is_null(labels, nan_is_null=True)).as_py() or 0
    if missing:
        raise PredictorError(
            f"the model gave no prediction for {counted(missing)} of {len(labels)} rows", hint=_SAID["answer"][1]
        )
    if SCORE in table.column_names:
        scores = table[SCORE]
        inside = pc.and_(pc.greater_equal(scores, 0.0), pc.less_equal(scores, 1.0))
        if scores.null_count or not pc.all(inside).as_py():
            raise PredictorError(
                "the model's predict_proba answers numbers that are not probabilities",
                hint="each must lie between 0 and 1",
            )
