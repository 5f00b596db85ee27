"""The process that runs a model: `python -I predictor_child.py REQUESTS ANSWERS`, two file descriptors.

It belongs to the judged, so its parent trusts nothing that it says. A frame is one letter, eight bytes of length, and
content: `J` the job (JSON) and `B` a batch of rows (Arrow) come in; `R` ready, `B` the predictions (Arrow) and `E` a
failure (JSON: where, and the exception's type, never its text) go out, one for each that comes in. Standard output
and error are the model's. This file imports nothing of aims-mlops: it runs by its path, and reads nothing else of ours.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO


class Worker:
    """Answers frames until there are no more. `stage` is what a failure is reported under."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        """Take over the failures of this process: whatever is not caught is reported, and ends it."""
        self._requests, self._answers = requests, answers
        self.stage = "start"
        sys.excepthook = self.report

    def run(self) -> None:
        """Close the process off, load the model, and predict batch by batch."""
        job = json.loads(self._receive(b"J") or b"{}")
        self.stage = "confine"
        _confine(job)
        self.stage = "libraries"
        sys.path.extend(folder for folder in job["libraries"] if folder not in sys.path)
        # MLflow loads the entry points of what is installed. Ours may be out of reach here, and are no business of a
        # model: this reads as a package that is not there, which MLflow passes over.
        sys.modules["aims_mlops_hooks"] = None  # type: ignore[assignment]
        import mlflow.pyfunc
        import pyarrow as pa  # noqa: F401  # a batch needs it: better missed here than there

        self.stage = "load"
        model = mlflow.pyfunc.load_model(job["model"])
        self._send(b"R", b"")
        while (content := self._receive(b"B")) is not None:
            self._send(b"B", self._predict(model, content, job))

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Say where it failed, and the nearest type of Python's own: a model may name its types after anything."""
        traceback.print_exception(kind, error, trace)
        known = next(base.__name__ for base in kind.__mro__ if base.__module__ == "builtins")
        self._send(b"E", json.dumps({"stage": self.stage, "type": known}).encode())

    def _predict(self, model: Any, content: bytes, job: dict[str, Any]) -> bytes:
        import pyarrow as pa

        self.stage = "predict"
        frame = pa.ipc.open_stream(content).read_all().to_pandas()
        answer = model.predict(frame.copy())
        score = _score(model, frame, job["positive"])
        self.stage = "answer"
        columns = {job["prediction"]: _labels(answer)}
        if score is not None:
            columns[job["score"]] = pa.array(score, pa.float64())
        batch = pa.RecordBatch.from_pydict(columns)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        return bytes(sink.getvalue())

    def _receive(self, letter: bytes) -> bytes | None:
        """Read one frame of this kind; None at the end. Another kind, or half a frame, ends the process."""
        head = self._requests.read(9)
        if not head:
            return None
        size = int.from_bytes(head[1:], "big")
        content = self._requests.read(size)
        if head[:1] != letter or len(content) != size:
            raise EOFError("not the frame that was expected")
        return content

    def _send(self, letter: bytes, content: bytes) -> None:
        self._answers.write(letter + len(content).to_bytes(8, "big") + content)
        self._answers.flush()


def _confine(job: dict[str, Any]) -> None:
    spec = importlib.util.spec_from_file_location("_aims_confine", Path(__file__).with_name("confine.py"))
    if spec is None or spec.loader is None:
        raise FileNotFoundError("confine.py")
    confine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(confine)
    confine.enter(job["abi"], readable=[*job["libraries"], job["model"]], writable=os.getcwd())  # noqa: PTH109


def _labels(answer: Any) -> Any:
    """Return one label for each row as a plain Arrow array; `TypeError` for several columns or odd values."""
    import numpy as np
    import pyarrow as pa

    if len(getattr(answer, "shape", ())) == 2:
        if answer.shape[1] != 1:
            raise TypeError("several columns are not one label for each row")
        answer = np.asarray(answer)[:, 0]
    array = pa.array(answer, from_pandas=True)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_boolean(array.type):
        return array
    for family, plain in (
        (pa.types.is_integer, pa.int64()),
        (pa.types.is_floating, pa.float64()),
        (pa.types.is_string, pa.string()),
        (pa.types.is_large_string, pa.string()),
    ):
        if family(array.type):
            return array.cast(plain)
    raise TypeError("labels are numbers, texts or booleans")


def _score(model: Any, frame: Any, positive: Any) -> Any:
    """Return the probability of the positive class from the flavour's own model; None where it has no such thing."""
    try:
        raw = model.get_raw_model()
    except (AttributeError, NotImplementedError):
        return None
    classes = list(getattr(raw, "classes_", ()))
    wanted = 1 if positive is None else positive
    columns = [place for place, label in enumerate(classes) if label == wanted]
    if len(classes) != 2 or len(columns) != 1 or not hasattr(raw, "predict_proba"):
        return None
    return raw.predict_proba(_as_signed(model, frame))[:, columns[0]]


def _as_signed(model: Any, frame: Any) -> Any:
    """Return the columns that the model's signature names, in its order, as pyfunc hands them to `predict`."""
    schema = model.metadata.get_input_schema()
    if schema is None or not schema.has_input_names():
        return frame
    return frame[[name for name in schema.input_names() if name in frame.columns]]


if __name__ == "__main__":
    # Not in a `with`: it would close the pipe before a failure is reported through it.
    Worker(os.fdopen(int(sys.argv[1]), "rb"), os.fdopen(int(sys.argv[2]), "wb")).run()
