"""The two searches: Hypothesis makes what it finds small; atheris follows the code that is reached."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzz.mutations import TOKENS, inputs
from fuzz.target import Target, judge, keep

ROUND = 50
"""Inputs between two looks at the clock."""
START_UP = 8.0
"""Seconds that atheris may take to start, and to end: they are added to what it is given."""


@dataclass
class Tally:
    """How many inputs a target saw, and how many of them it took."""

    seen: int = 0
    taken: int = 0
    broken: list[Path] = field(default_factory=list)


def with_hypothesis(target: Target, seconds: float, *, start: int = 0, examples: int = ROUND) -> Tally:
    """Search for so long, one round of `examples` at the least; raises what broke, after the input was kept."""
    tally, number, until = Tally(), start, time.monotonic() + seconds
    smallest: list[bytes] = []

    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(inputs(target))
    def one(content: bytes) -> None:
        smallest[:] = [content]  # Hypothesis runs its smallest failure last
        tally.seen += 1
        tally.taken += judge(target, content)

    for valid in target.seeds:
        assert judge(target, valid), f"{target.name}: a valid input is refused"
    try:
        while True:
            number += 1
            seed(number)(one)()
            if time.monotonic() >= until:
                return tally
    except BaseException:
        if smallest:
            tally.broken.append(keep(target, smallest[0]))
            sys.stderr.write(f"{target.name}: kept as {tally.broken[0]}\n")
        raise


def has_atheris() -> bool:
    """Whether atheris is installed. It has wheels for Linux on x86-64 alone."""
    return importlib.util.find_spec("atheris") is not None


def with_atheris(targets: Sequence[Target], seconds: int) -> tuple[bool, str]:
    """Search in a process of its own for so long; return whether all held, and what it said."""
    with tempfile.TemporaryDirectory(prefix="aims-fuzz-") as folder:
        corpus, words = Path(folder) / "corpus", Path(folder) / "words"
        corpus.mkdir()
        for number, target in enumerate(targets):
            for place, valid in enumerate(target.seeds):
                (corpus / f"{target.name}-{place}").write_bytes(bytes([number]) + valid)
        short = [token for token in TOKENS if len(token) < 40]
        escaped = ("".join(f"\\x{byte:02x}" for byte in token) for token in short)
        words.write_text("".join(f'"{token}"\n' for token in escaped))
        command = [sys.executable, "-m", "fuzz.guided", ",".join(target.name for target in targets), str(corpus)]
        limits = [f"-max_total_time={seconds}", f"-dict={words}", "-max_len=8192", "-timeout=30", "-rss_limit_mb=3000"]
        done = subprocess.run(
            [*command, *limits, f"-artifact_prefix={folder}/"],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 30 + 10 * START_UP,
        )
    return done.returncode == 0, done.stdout + done.stderr
