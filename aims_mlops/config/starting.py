"""The aims.yaml that `aims init` writes: commented, from what was found, and shut until a person is named."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from aims_mlops.errors import ConfigError, UsageError

_HEAD = """\
# yaml-language-server: $schema=aims.schema.json
# Written by aims init. What a key means: aims config explain KEY. Is it right: aims config validate.
# The line above lets editors help, once you have run: aims config schema > aims.schema.json
schema: aims/1

organisation:
  name: Your organisation
  contact: ""                             # where people ask about its AI systems

people:                                   # everybody who owns a system or signs evidence
  model-owner:
    name: First name and surname          # a person, not a team
    email: ""
    active: false                         # nothing is promoted until you name the person and write true
    keys: [keys/model-owner.pub.pem]      # made by: aims keys new model-owner
  pipeline:
    name: Training pipeline
    kind: service
    keys: [keys/pipeline.pub.pem]         # made by: aims keys new pipeline

signer: pipeline                          # whose key signs a run; a person uses --as

trust:                                    # who may sign what; who is not named is not trusted
  check-result: [pipeline]
  gate-decision: [pipeline]
  promotion: [pipeline]
  record: [model-owner]
  # waiver, policy, register-entry: somebody other than the owner

"""

_SYSTEM = """\
  {id}:
    name: {name}
    owner: model-owner
    # deputy: another-person              # needed where the risk class is high
    intended_purpose: ""                  # what it is for, in a sentence
    risk_class: unclassified              # minimal, limited, high, prohibited or out_of_scope
    models: [{model}]
    promotion:                            # what counts as promotion, and is refused unless the gate allows it
      aliases: [champion]
      stages: [Production]
      # registered_models: ["prod.*"]     # globs of names that versions are copied into
    data:{data}
    checks: []                            # a policy that requires nothing allows nothing; replace [] by, for example:
      # - id: parity
      #   use: fairness
      #   data: evaluation                # with label: and sensitive: above
      #   sensitive: [sex]
      #   metrics: {{demographic_parity_difference: {{max: 0.10}}}}
      #   max_age: 30d
      # - id: accuracy
      #   use: performance
      #   data: evaluation
      #   metrics: {{accuracy: {{min: 0.80}}}}
      # - id: input-drift
      #   use: drift
      #   reference: reference
      #   current: evaluation
      #   columns: [age]
      #   method: psi
      #   max_per_column: 0.10
    # records:                            # what a person must have signed
    #   - id: peer-review
    #     signed_by: not-owner
"""

_NO_DATA = """ {}                              # the datasets by the names that checks use, for example:
      # evaluation: {path: data/evaluation.parquet, label: outcome, sensitive: [sex]}
      # reference: {path: data/reference.parquet, label: outcome}"""


def starter(models: Sequence[str], *, datasets: Iterable[str] = ()) -> str:
    """Return a commented aims.yaml with one system for each registered model, and the datasets that were found.

    `datasets` are paths as they shall stand in the file. The text loads as it is, and promotes nothing: its owner is
    not active and it requires no check, until somebody writes both.
    """
    data = _datasets(sorted(set(datasets)))
    if not models:
        example = _system("my-model", "my-model", data)
        return (
            _HEAD
            + "systems: {}                               # no registered model was found; for example:\n"
            + "".join(f"# {line}\n" if line.strip() else "\n" for line in example.splitlines())
        )
    first, *others = (_system(id_, model, data) for id_, model in _ids(sorted(set(models))).items())
    # What could be written there is said once; forty models need no forty copies of it.
    plain = (
        "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#")) for text in others
    )
    return _HEAD + "systems:\n" + "\n".join([first, *plain])


def _system(id_: str, model: str, data: str) -> str:
    # The name may hold letters that a glob would read as a pattern.
    return _SYSTEM.format(id=_quoted(id_), name=_quoted(model), model=_quoted(glob.escape(model)), data=data)


def _datasets(paths: Sequence[str]) -> str:
    if not paths:
        return _NO_DATA
    named = _ids([Path(path).stem for path in paths], paths)
    lines = [
        f"      {_quoted(id_)}: {{path: {_quoted(path)}}}  # inside the braces: label: COLUMN, sensitive: [COLUMN]"
        for id_, path in named.items()
    ]
    return "                                 # the datasets by the names that checks use\n" + "\n".join(lines)


def _ids(names: Sequence[str], values: Sequence[str] | None = None) -> dict[str, str]:
    """Make an id of each name, all different; return the values (the names themselves by default) by id."""
    found: dict[str, str] = {}
    for name, value in zip(names, values or names, strict=True):
        base = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_") or "system"
        number, id_ = 2, base
        while id_ in found:
            number, id_ = number + 1, f"{base}-{number}"
        found[id_] = value
    return found


def _quoted(text: str) -> str:
    """Write text for YAML: plain where it cannot be taken for anything else, else as JSON, which YAML reads."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", text) and text.lower() not in ("true", "false", "null")
    if plain:
        return text
    # JSON would leave letters that YAML's reader refuses, and write others as two halves.
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08X}" for letter in quoted)


def write_starter(path: Path, text: str) -> None:
    """Write a new aims.yaml; raise `UsageError` where there is one already: it is never overwritten."""
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        hint = "edit it, or run aims config validate; remove it yourself to start anew"
        raise UsageError(f"{path} exists already", hint=hint) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"{path} cannot be written: {reason}", hint="choose a folder that you may write to"
        ) from error
