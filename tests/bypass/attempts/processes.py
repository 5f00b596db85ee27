"""Processes that an attempt starts."""

from __future__ import annotations

import os
import subprocess
import sys


def python(*arguments: str) -> None:
    """Run Python with arguments, in the environment of the attempt; it has to end well."""
    done = subprocess.run([sys.executable, *arguments], env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
