"""The process in which atheris searches: `python -m fuzz.guided TARGET,… CORPUS [libFuzzer's options]`.

An input's first byte says which target it is for, so that one process, one start and one corpus do for all.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["aims_mlops"]):
    from fuzz.targets import TARGETS

from fuzz.target import judge, keep


def main() -> None:
    """Search until libFuzzer's time is over. It ends the process by itself."""
    chosen = [target for name in sys.argv[1].split(",") for target in TARGETS if target.name == name]

    def one(data: bytes) -> None:
        if not data:
            return
        target = chosen[data[0] % len(chosen)]
        try:
            judge(target, data[1:])
        except BaseException:
            sys.stderr.write(f"{target.name}: kept as {keep(target, data[1:])}\n")
            raise

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
