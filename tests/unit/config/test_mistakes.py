from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from aims_mlops.config import CheckTypes, load
from aims_mlops.errors import ConfigError
from aims_mlops.model.register import Project

Mistakes = Callable[[str | bytes], str]


def test_a_pipe_in_place_of_a_suite_is_not_waited_for(base: str, mistakes: Mistakes, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "the file pipe is not a file" in mistakes(base.replace("quality/now.json", "pipe"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("!!int abc", "aims.yaml:24:47: text 'abc' is not what its tag !!int says", id="a tag that lies"),
        pytest.param("!!bool maybe", "text 'maybe' is not what its tag !!bool says", id="maybe as a boolean"),
        pytest.param(r'"\ud800"', "half of a surrogate pair is not text", id="half a letter"),
        pytest.param("!!set {a, b}", "the tag !!set is not allowed", id="a set"),
        pytest.param("&a !!python/tuple [1]", "the tag !!python/tuple is not allowed", id="a tuple"),
    ],
)
def test_values_that_plain_yaml_does_not_have_are_refused(
    base: str, mistakes: Mistakes, written: str, said: str
) -> None:
    assert said in mistakes(base.replace("label: paid", f"positive: {written}"))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for step, item in steps for found in _paths(item, (*path, step)))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_anywhere_is_read_or_refused_in_order_and_never_breaks(
    read: Callable[[str | bytes], Project], base: str, data: st.DataObject
) -> None:
    tree = {"top": YAML(typ="safe", pure=True).load(base)}
    odd: st.SearchStrategy[Any] = st.sampled_from(
        [None, True, 5, 0.5, "", "x", "parity", [], {}, [5], ["x"], [[]], [{}], {"x": 1}, {"use": []}]
    )
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from([path for path in _paths(tree) if path]))
        place: Any = tree
        for step in way:
            place = place[step]
        place[last] = deepcopy(data.draw(odd))
    try:
        read(json.dumps(tree["top"], indent=1))
    except ConfigError as error:
        told = [line for line in str(error).splitlines() if not line.startswith("  hint: ")]
        places = [tuple(int(part) for part in line.split(": ")[0].split(":")[1:]) for line in told]
        assert places == sorted(places)  # a refusal is one of two right answers


def case(old: str, new: str, said: str, *, id: str) -> object:  # noqa: A002
    return pytest.param(old, new, said, id=id)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        case(
            "    max_age: 30d",
            "    max_agee: 30d",
            "aims.yaml:32:9: unknown key 'max_agee'\n  hint: did you mean 'max_age'?",
            id="a misspelt key that every check has",
        ),
        case(
            "    limits:\n",
            "    limts:\n",
            "aims.yaml:30:9: unknown key 'limts'\n  hint: did you mean 'limits'?",
            id="a misspelt option of the check",
        ),
        case(
            "{max: 0.10}",
            "{mx: 0.10}",
            "aims.yaml:31:24: unknown key 'mx'\n  hint: did you mean 'max'?",
            id="a misspelt key of a limit",
        ),
        case(
            "signer: robot",
            "zzz: robot",
            "aims.yaml:9:1: unknown key 'zzz'\n"
            "  hint: keys here: schema, organisation, people, signer, store, unclaimed, trust, separate, systems",
            id="a key like no other",
        ),
        case(
            "{max: 0.10}",
            "{max: abc}",
            "aims.yaml:31:29: expected a number, got text 'abc'\n  hint: write a number, without quotes",
            id="text for a number",
        ),
        case("{max: 0.10}", "{max: .nan}", "aims.yaml:31:29: .nan is not a finite number\n", id="NaN for a limit"),
        case(
            "        max_age: 30d",
            "        least: 2.5",
            "aims.yaml:32:16: expected a whole number, got the number 2.5",
            id="a fraction for a whole number",
        ),
        case(
            "        max_age: 30d",
            "        least: 0",
            "aims.yaml:32:16: expected a number above 0, got the number 0",
            id="a number out of bounds",
        ),
        case(
            "        max_age: 30d",
            "        method: robst",
            "aims.yaml:32:17: expected 'plain' or 'robust', got text 'robst'\n  hint: did you mean 'robust'?",
            id="a misspelt word",
        ),
        case(
            "        max_age: 30d",
            "        required: no",
            "aims.yaml:32:19: expected true or false, got text 'no'\n  hint: yes, no, on and off are text in YAML 1.2",
            id="no is not false",
        ),
        case(
            "sensitive: [sex]",
            "sensitive: sex",
            "aims.yaml:24:61: expected a list, got text 'sex'\n  hint: write [sex]",
            id="text for a list",
        ),
        case(
            "name: Loans",
            "name: 5",
            "aims.yaml:15:11: expected text, got the number 5\n  hint: put it in quotes",
            id="a number for text",
        ),
        case(
            "name: Loans",
            "name:",
            "aims.yaml:15:5: expected text, got nothing\n  hint: write a value, or take the key away",
            id="nothing for text",
        ),
        case(
            "    owner: ann\n", "", "aims.yaml:14:3: the key 'owner' is missing\n  hint: add owner: here", id="no owner"
        ),
        case(
            "        use: parity\n        data: now",
            "        data: now",
            "aims.yaml:27:9: the key 'use' is missing",
            id="no use",
        ),
        case(
            "  loans:\n",
            "  My Loans:\n",
            "aims.yaml:14:3: 'My Loans' is not an id: lower-case letters, digits, - and _ only\n"
            "  hint: for example 'my-loans'; what people read goes into name:",
            id="an id with a space",
        ),
        case(
            "  ben: {name: Ben}",
            "  owner: {name: Ben}",
            "aims.yaml:7:3: 'owner' cannot be a person's id: signed_by gives it another meaning\n",
            id="a person called owner",
        ),
        case(
            "- id: gap",
            "- id: integrity",
            "aims.yaml:27:13: 'integrity' is the id of a built-in requirement\n  hint: choose another id",
            id="a check called like a built-in requirement",
        ),
        case(
            "30d",
            "30 days",
            "aims.yaml:32:18: '30 days' is not a duration\n  hint: write a number and s, m, h, d or w, e.g. 30d",
            id="a duration in words",
        ),
        case(
            "30d",
            "0d",
            "aims.yaml:32:18: '0d' is no time at all: everything would be stale\n",
            id="a duration of nothing",
        ),
        case("30d", "99999999999999w", "'99999999999999w' is not a duration", id="a duration beyond all time"),
        case("30d", "30", "aims.yaml:32:18: expected a duration\n", id="a duration without unit"),
        case(
            '"iso42001 A.6.2.4"',
            '"iso4201 A.6.2.4"',
            "aims.yaml:33:20: 'iso4201' is not a framework key\n  hint: did you mean 'iso42001'?",
            id="an unknown framework",
        ),
        case(
            '"iso42001 A.6.2.4"',
            "iso42001",
            "aims.yaml:33:20: the control 'iso42001' names no clause\n",
            id="a control without clause",
        ),
        case(
            "use: parity\n        data: now",
            "use: party\n        data: now",
            "aims.yaml:28:14: no check is called 'party'\n  hint: did you mean 'parity'?",
            id="an unknown check",
        ),
        case(
            "use: parity\n        data: now",
            "use: zzz\n        data: now",
            "aims.yaml:28:14: no check is called 'zzz'\n  hint: installed checks: parity, suite",
            id="an unknown check like no other",
        ),
        case(
            "owner: ann",
            "owner: anne",
            "aims.yaml:16:12: there is no person 'anne' under people\n  hint: did you mean 'ann'?",
            id="an unknown owner",
        ),
        case(
            "signer: robot",
            "signer: rob",
            "aims.yaml:9:9: there is no person 'rob' under people\n",
            id="an unknown signer",
        ),
        case(
            "record: [ann, ben]",
            "record: [ann, carl]",
            "aims.yaml:12:17: there is no person 'carl'",
            id="an unknown trusted person",
        ),
        case(
            "signed_by: not-owner",
            "signed_by: nobody",
            "aims.yaml:40:20: there is no person 'nobody'",
            id="an unknown signer of a record",
        ),
        case(
            "check-result: [robot]",
            "check-results: [robot]",
            "aims.yaml:11:3: 'check-results' is not a kind of statement\n  hint: did you mean 'check-result'?",
            id="trust for an unknown kind",
        ),
        case(
            "deputy: ben",
            "deputy: ann",
            "aims.yaml:17:13: owner and deputy are the same person, 'ann'\n",
            id="the owner as deputy",
        ),
        case(
            "data: now\n",
            "data: nwo\n",
            "aims.yaml:29:15: there is no dataset 'nwo' in this system\n  hint: did you mean 'now'?",
            id="an unknown dataset",
        ),
        case(
            "on: [now, then]",
            "on: [now, thn]",
            "aims.yaml:36:19: there is no dataset 'thn' in this system\n",
            id="an unknown dataset in a list",
        ),
        case(
            "quality/now.json",
            "quality/nwo.json",
            "aims.yaml:37:15: the file quality/nwo.json does not exist\n  hint: paths start at the folder of aims.yaml",
            id="a missing suite",
        ),
        case(
            "quality/now.json",
            "quality",
            "aims.yaml:37:15: the file quality is not a file\n",
            id="a folder for a suite",
        ),
        case(
            "- id: shape",
            "- id: gap",
            "aims.yaml:34:13: the id 'gap' is used twice in this system; first on line 27\n",
            id="two checks of one id",
        ),
        case(
            "- id: peer-review",
            "- id: shape",
            "the id 'shape' is used twice in this system; first on line 34",
            id="a record with a check's id",
        ),
        case(
            "    owner: ann\n",
            "    owner: ann\n    owner: ben\n",
            "aims.yaml:17:5: the key 'owner' is given twice; first on line 16\n  hint: keep one of them",
            id="a key given twice",
        ),
        case(
            '      aliases: [champion]\n      registered_models: ["prod.*"]\n',
            "      aliases: []\n",
            "aims.yaml:20:5: nothing is protected\n",
            id="nothing protected",
        ),
        case(
            "models: [loans,",
            "models: [prod.loans,",
            "aims.yaml:19:14: the model 'prod.loans' is also a protected name: each version would be born promoted\n",
            id="a model that is born promoted",
        ),
        case(
            'models: [loans, "loans-*"]',
            "models: []",
            "aims.yaml:19:5: expected at least one entry, got a list\n",
            id="a system without model",
        ),
        case(
            "schema: aims/1",
            "schema: aims/2",
            "aims.yaml:1:9: expected 'aims/1', got text 'aims/2'\n",
            id="another grammar",
        ),
        case("label: paid", "digest: sha256:00", "aims.yaml:24:45: 'sha256:00' is not a digest\n", id="a short digest"),
        case("label: paid", "positive: [1]", "expected one value of the label column\n", id="a list for a label"),
        case(
            "        every: 7d\n", "", "aims.yaml:42:9: the key 'every' is missing\n", id="monitoring that is never due"
        ),
        case(
            "name: Loans",
            "name: !!python/name:os.system x",
            "the tag !!python/name:os.system is not allowed\n",
            id="a tag that runs code",
        ),
        case("name: Loans", "<<: {name: Loans}", "merge keys (<<) are not read\n", id="a merge key"),
        case(
            "  ben: {name: Ben}",
            "  5: {name: Ben}",
            "aims.yaml:7:3: a key must be text\n  hint: put it in quotes",
            id="a number as key",
        ),
        case(
            "label: paid",
            "positive: 99999999999999999999",
            "a whole number beyond 2^53",
            id="a number that JSON cannot hold",
        ),
    ],
)
def test_a_mistake_is_told_with_place_and_hint(base: str, mistakes: Mistakes, old: str, new: str, said: str) -> None:
    assert old in base

    assert said in mistakes(base.replace(old, new, 1))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "aims.yaml:1:1: the file is empty\n  hint: aims init writes a start", id="an empty file"),
        pytest.param(b"# only words\n", "aims.yaml:1:1: the file is empty\n", id="only a comment"),
        pytest.param(b"- a\n", "aims.yaml:1:1: expected a mapping at the top, got a list\n", id="a list"),
        pytest.param(
            b"a:\n\t- b\n",
            "aims.yaml:2:1: not YAML: found character '\\t' that cannot start any token, while scanning for the next "
            "token\n  hint: indent with spaces: YAML allows no tabs there",
            id="tabs",
        ),
        pytest.param(b"a: [1\n", "aims.yaml:2:1: not YAML: expected ',' or ']'", id="an open bracket"),
        pytest.param(b"a: x: y\n", "hint: quote text that holds a colon and a space", id="a second colon"),
        pytest.param(b"a: *.parquet\n", "hint: quote text that begins with *", id="a glob without quotes"),
        pytest.param(b"a: 1\n---\nb: 1\n", "hint: keep one document in the file", id="two documents"),
        pytest.param(b"a: \xff\n", "aims.yaml:1:4: not UTF-8 text\n", id="not UTF-8"),
        pytest.param(
            b"a: 1\nb: \x01\n", "aims.yaml:2:4: the character U+0001 is not allowed in YAML\n", id="a control character"
        ),
        pytest.param(b"a: &a [*a]\n", "aims.yaml:1:4: an alias that contains itself\n", id="an endless alias"),
        pytest.param(b"[" * 3000, "nested too deeply to be read\n", id="a thousand brackets"),
        pytest.param(b"a: " + b"[" * 60 + b"]" * 60, "nested too deeply to be read\n", id="sixty brackets"),
        pytest.param(b" " * 1_000_001, "aims.yaml:1:1: more than 1000000 bytes\n", id="a large file"),
        pytest.param(
            b"a: &a [1,1,1,1,1,1,1,1,1]\n"
            + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)),
            "more than 200000 values: aliases multiply each other\n  hint: write the values out",
            id="a billion laughs",
        ),
    ],
)
def test_what_is_no_aims_yaml_at_all_is_told_in_one_line(mistakes: Mistakes, content: bytes, said: str) -> None:
    assert said in mistakes(content)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(base: str, mistakes: Mistakes) -> None:
    text = (
        base.replace("signer: robot", "signer: rob")
        .replace("owner: ann", "owner: [ann]")
        .replace("use: parity\n        data: now", "use: party\n        data: now")
        .replace("30d", "soon")
        .replace("quality/now.json", "quality/other.json")
        .replace("every: 7d", "evry: 7d")
    )
    lines = [line for line in mistakes(text).splitlines() if not line.startswith("  ")]
    assert [line.split(": ")[0].split(":")[1] for line in lines] == ["9", "16", "28", "32", "37", "42", "46"]


def test_a_value_that_could_not_be_read_is_told_once(base: str, mistakes: Mistakes) -> None:
    assert mistakes(base.replace("name: Loans", "name: !x y")).count("aims.yaml:") == 1


@pytest.mark.parametrize(
    ("models", "said"),
    [
        pytest.param(
            "[loans]", "the model 'loans' is claimed by the system 'loans' on line 19 already", id="the same name"
        ),
        pytest.param(
            "[loans-eu]",
            "the model 'loans-eu' is claimed by the system 'loans' on line 19 as 'loans-*' already",
            id="a name that the other's glob matches",
        ),
        pytest.param(
            '["loan?"]',
            "the model 'loan?' is claimed by the system 'loans' on line 19 as 'loans' already",
            id="a glob over the other's name",
        ),
        pytest.param(
            '["loans-*"]', "the model 'loans-*' is claimed by the system 'loans' on line 19 already", id="the same glob"
        ),
    ],
)
def test_two_systems_that_claim_one_model_are_both_named(base: str, mistakes: Mistakes, models: str, said: str) -> None:
    other = f"  other:\n    name: Other\n    owner: ben\n    models: {models}\n    promotion: {{aliases: [champion]}}\n"
    text = mistakes(base + other)
    assert f"aims.yaml:51:14: {said}\n  hint: let exactly one system claim a model" in text


def test_two_systems_of_one_number_are_told(base: str, mistakes: Mistakes) -> None:
    text = base.replace("    owner: ann\n", "    owner: ann\n    number: AIS-7\n")
    other = "  other: {name: O, owner: ben, number: AIS-7, models: [o], promotion: {aliases: [a]}}\n"
    assert "the number 'AIS-7' belongs to the system 'loans' already" in mistakes(text + other)


def test_without_any_check_installed_every_use_is_unknown(base: str, tmp_path: Path) -> None:
    path = tmp_path / "aims.yaml"
    path.write_text(base, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value).count("hint: no check is installed") == 3


def test_with_a_single_check_installed_its_options_are_still_judged(
    base: str, tmp_path: Path, checks: CheckTypes
) -> None:
    path = tmp_path / "aims.yaml"
    path.write_text(base.replace("    limits:\n", "    limts:\n"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, {"parity": checks["parity"]})
    assert "aims.yaml:30:9: unknown key 'limts'\n  hint: did you mean 'limits'?" in str(caught.value)
    assert "no check is called 'suite'\n  hint: installed checks: parity" in str(caught.value)


def test_a_check_with_an_option_that_every_entry_has_is_refused(tmp_path: Path, base: str, checks: CheckTypes) -> None:
    from aims_mlops.plugin import CheckOptions

    class Clash(CheckOptions):
        required: int = 1

    parity = type("Clashing", (checks["parity"],), {"options": Clash})
    path = tmp_path / "aims.yaml"
    path.write_text(base, encoding="utf-8")
    with pytest.raises(ConfigError, match="the check 'parity' has the option 'required'"):
        load(path, {"parity": parity})


CHAMPIONS = """\
      - id: shape
        use: performance
        data: now
        metrics: {accuracy: {not_below: WRITTEN}}
    records:
"""


def champions(base: str, written: str) -> str:
    """Return a project whose second check is held to what some alias was promoted with."""
    before, _, rest = base.partition("      - id: shape\n")
    return before + CHAMPIONS.replace("WRITTEN", written) + rest.partition("    records:\n")[2]


@pytest.fixture
def with_performance(checks: CheckTypes) -> CheckTypes:
    from aims_mlops_checks.performance import Performance

    return {**checks, "performance": Performance}


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("champoin", "did you mean 'champion'?"),
        ("latest", "champion"),
        ("prod.loans", "champion"),
    ],
)
def test_an_alias_that_nothing_is_promoted_to_has_no_champion(
    base: str, with_performance: CheckTypes, tmp_path: Path, written: str, hint: str
) -> None:
    """Else the comparison would be waived for ever, as for the first version."""
    (tmp_path / "aims.yaml").write_text(champions(base, written))
    with pytest.raises(ConfigError, match=f"not_below: '{written}' is no protected alias of this system") as caught:
        load(tmp_path / "aims.yaml", with_performance)
    assert hint in str(caught.value)
    assert re.search(r"^aims\.yaml:37:41: ", str(caught.value), re.MULTILINE), str(caught.value)


@pytest.mark.parametrize("written", ["champion", "Champion", "CHAMPION"])
def test_a_protected_alias_has_a_champion_in_any_case(
    base: str, with_performance: CheckTypes, tmp_path: Path, written: str
) -> None:
    (tmp_path / "aims.yaml").write_text(champions(base, written))
    (system,) = load(tmp_path / "aims.yaml", with_performance).systems
    assert system.policy.checks[1].options.metrics["accuracy"].not_below == written
