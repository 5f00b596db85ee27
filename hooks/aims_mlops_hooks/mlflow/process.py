"""A child process that answers frame for frame over pipes of its own, and is never waited for without end."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

_TAIL = 16_384
"""Bytes of what the child printed that are kept: the last ones."""
_HEAD = 9
_CHUNK = 1 << 20


class TimedOut(Exception):
    """No whole answer came in time."""


class Ended(Exception):
    """The process ended, or closed its pipes, before it answered. The text says how."""


class Process:
    """Runs a script in an isolated interpreter, in a session of its own, with three pipes and nothing else open.

    Frames are described in `predictor_child`. While we wait for an answer, what the child prints is read too, so that
    a model that prints much does not stop.
    """

    def __init__(self, script: str, *, folder: str, environment: Mapping[str, str]) -> None:
        """Start it in `folder` with exactly this environment."""
        incoming, self._requests = os.pipe()
        self._answers, outgoing = os.pipe()
        self._printed, output = os.pipe()
        self._tail = b""
        try:
            # -I: no PYTHON* variable, no user site, no current folder. -B: nothing is written beside the libraries.
            # -u: what was printed last is there when the process is killed.
            command = [sys.executable, "-I", "-B", "-u", "-X", "utf8", script, str(incoming), str(outgoing)]
            self._child = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(incoming, outgoing),
                start_new_session=True,
            )
        finally:
            for handle in (incoming, outgoing, output):
                os.close(handle)
        for handle in (self._requests, self._answers, self._printed):
            os.set_blocking(handle, False)

    def exchange(self, letter: bytes, content: bytes, *, timeout: float, limit: int) -> tuple[bytes, bytes]:
        """Send a frame and return the letter and content of the answer.

        Raises `TimedOut` after so many seconds in all, and `Ended` where the process is gone or announces more than
        `limit` bytes (a failure may always take 4096).
        """
        unsent = memoryview(letter + len(content).to_bytes(8, "big") + content)
        answer, deadline = bytearray(), time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_WRITE)
            selector.register(self._answers, selectors.EVENT_READ)
            selector.register(self._printed, selectors.EVENT_READ)
            while not _is_whole(answer, max(limit, 4096)):
                # Looked at each time: a model that never stops printing is always ready.
                if (left := deadline - time.monotonic()) <= 0:
                    raise TimedOut
                for key, _ in selector.select(left):
                    if key.fd == self._requests:
                        unsent = self._send(unsent)
                        if not unsent:
                            selector.unregister(self._requests)
                    elif key.fd == self._answers:
                        answer += self._read_answer()
                    elif not self._drain():
                        selector.unregister(self._printed)
        return bytes(answer[:1]), bytes(answer[_HEAD:])

    def close(self) -> str:
        """Kill the whole process group, and return the last lines that it printed."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        with suppress(BlockingIOError):
            for _ in range(64):  # a process that got away may print on without end
                self._drain()
        for handle in (self._requests, self._answers, self._printed):
            os.close(handle)
        return self._tail.decode("utf-8", "replace").strip()

    def _send(self, unsent: memoryview) -> memoryview:
        try:
            return unsent[os.write(self._requests, unsent[:_CHUNK]) :]
        except BrokenPipeError:  # its answer, if it left one, says why
            return unsent[len(unsent) :]

    def _read_answer(self) -> bytes:
        chunk = os.read(self._answers, _CHUNK)
        if not chunk:
            raise Ended(self._how())
        return chunk

    def _drain(self) -> bytes:
        chunk = os.read(self._printed, _CHUNK)
        self._tail = (self._tail + chunk)[-_TAIL:]
        return chunk

    def _how(self) -> str:
        try:
            code = self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "its pipe is closed"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _is_whole(answer: bytearray, limit: int) -> bool:
    if len(answer) < _HEAD:
        return False
    size = int.from_bytes(answer[1:_HEAD], "big")
    if size > limit or len(answer) > _HEAD + size:
        raise Ended("its answer is too long")
    return len(answer) == _HEAD + size
