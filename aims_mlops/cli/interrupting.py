"""Commands that run until somebody stops them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGTERM and SIGINT inside the `with`.

    Let it put something into a `SimpleQueue` and set no event: a signal may arrive while the main thread holds an
    event's lock, and then waits for ever.
    """

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
