"""A policy read again from its recorded text: what was in force when something was measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from aims_mlops.config import grammar
from aims_mlops.config.building import check_text, dataset_spec, named_in
from aims_mlops.config.grammar import CheckTypes
from aims_mlops.errors import ConfigError, VerificationError
from aims_mlops.evidence.canonical import canonical, parse
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import CheckSpec, Policy, Promotion

FileOf = Callable[[str, Digest], bytes | None]
"""Finds the bytes of a file by the name in aims.yaml and their digest; None where nobody has them any more."""

_HINT = "replay it with the versions that recorded it"


def reread(text: bytes, ids: Collection[str], *, root: Path, checks: CheckTypes, file: FileOf) -> Policy:
    """Return a policy with some of its checks and all of its datasets, to measure by; nothing else of it is read.

    Its text, and so its digest, is the recorded one. Relative paths of datasets start from `root`. Raises
    `ConfigError` where this version or its checks read another policy out of the text, or a file is not there.
    """
    try:
        wire = parse(text, what="policy")
        if wire["schema"] != "aims.policy/1":
            raise ValueError(f"its schema is {wire['schema']!r}")
        specs = tuple(_check(id_, wire["checks"][id_], checks) for id_ in ids)
        datasets = tuple(
            dataset_spec(root, name, grammar.Dataset.model_validate_json(json.dumps(item), strict=True))
            for name, item in wire["data"].items()
        )
        files = _files(specs, wire["files"], file)
        return Policy(str(wire["system"]), Promotion(), datasets, specs, (), {}, text, files=files)
    except (VerificationError, KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"the recorded policy cannot be read by this version: {type(error).__name__}: {error}"
        raise ConfigError(what, hint=_HINT) from error


def _check(id_: str, entry: Mapping[str, Any], checks: CheckTypes) -> CheckSpec:
    use = entry["use"]
    if use not in checks:
        raise ConfigError(f"no check {use!r} is installed, which {id_} was measured by", hint=_HINT)
    options = checks[use].options.model_validate_json(json.dumps(entry["options"]), strict=True)
    max_age = entry["max_age"]
    spec = CheckSpec(
        id=id_,
        use=use,
        options=options,
        datasets=named_in(options, "dataset"),
        required=entry["required"],
        max_age=None if max_age is None else timedelta(seconds=max_age),
        decide_on=entry["decide_on"],
        allow_attached=entry["allow_attached"],
        allow_stored_predictions=entry["allow_stored_predictions"],
    )
    if canonical(check_text(spec)) != canonical(dict(entry)):  # an option that came later, or is read otherwise now
        raise ConfigError(f"the installed check {use!r} reads other options out of the policy of {id_}", hint=_HINT)
    return spec


def _files(specs: Collection[CheckSpec], digests: Mapping[str, str], file: FileOf) -> dict[str, bytes]:
    found = {}
    for name in dict.fromkeys(name for spec in specs for name in named_in(spec.options, "file")):
        content = file(name, Digest(digests[name]))
        if content is None:
            what = f"the file {name} is not there any more as it was (SHA-256 {Digest(digests[name]).short})"
            raise ConfigError(what, hint="put the file back as it was, beside aims.yaml")
        found[name] = content
    return found
