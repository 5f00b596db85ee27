from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from aims_mlops.config import CheckTypes, explain, schema, show
from aims_mlops.errors import ConfigError, UsageError
from aims_mlops.model.register import Project

Read = Callable[[str | bytes], Project]


def test_show_names_the_origin_of_each_value(read: Read, base: str) -> None:
    found = {setting.key: setting for setting in show(read(base), environment={})}
    line = base.splitlines().index("        limits:") + 2
    assert str(found["systems.loans.checks[0].limits.difference.max"]) == (
        f"systems.loans.checks[0].limits.difference.max = 0.1  # aims.yaml:{line}"
    )
    assert str(found["systems.loans.checks[0].least"]) == "systems.loans.checks[0].least = 30  # default"
    assert str(found["systems.loans.checks[0].decide_on"]).endswith('"interval"  # default')
    assert found["systems.loans.monitor[0].every"].value == "7d"


def test_show_names_the_variable_that_goes_before_the_file_and_hides_the_password(read: Read, base: str) -> None:
    environment = {"AIMS_SIGNER": "ann", "AIMS_STORE": "postgresql://aims:s3cret@db/evidence"}
    found = {setting.key: setting for setting in show(read(base), environment=environment)}
    assert (found["signer"].value, found["signer"].origin) == ("ann", "AIMS_SIGNER")
    assert (found["store"].value, found["store"].origin) == ("postgresql://aims:***@db/evidence", "AIMS_STORE")


def test_show_says_so_when_the_file_has_gone_bad(read: Read, base: str) -> None:
    project = read(base)
    project.path.write_text("a: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"aims\.yaml:\d:\d: not YAML"):
        show(project, environment={})


def test_the_schema_tells_the_options_of_checks_apart(checks: CheckTypes) -> None:
    made = schema(checks)
    items = made["$defs"]["System"]["properties"]["checks"]["items"]
    assert items["discriminator"] == {
        "propertyName": "use",
        "mapping": {"parity": "#/$defs/ParityCheckEntry", "suite": "#/$defs/SuiteCheckEntry"},
    }
    parity = made["$defs"]["ParityCheckEntry"]
    assert parity["properties"]["data"]["description"] == "The rows that are judged."
    assert parity["properties"]["max_age"]["anyOf"][0]["pattern"] == "^[0-9]+[smhdw]$"
    assert parity["additionalProperties"] is False
    assert json.loads(json.dumps(made)) == made


def test_the_schema_is_made_whatever_is_installed(checks: CheckTypes) -> None:
    def entry(installed: CheckTypes) -> object:
        return schema(installed)["$defs"]["System"]["properties"]["checks"]["items"]

    assert entry({}) == {"$ref": "#/$defs/AnyCheck"}
    assert entry({"parity": checks["parity"]}) == {"$ref": "#/$defs/ParityCheckEntry"}


def test_explain_says_what_a_key_means_wherever_it_stands(checks: CheckTypes) -> None:
    said = explain("max_age", checks)
    assert "systems.ID.checks[].max_age\n    How old a result may be at promotion, e.g. 30d" in said
    assert "systems.ID.records[].max_age\n    How old a record may be at promotion" in said
    assert explain("people.ID.kind", checks).endswith('one of person, service; by default "person"')


def test_explain_says_what_a_check_takes(checks: CheckTypes) -> None:
    said = explain("parity", checks)
    assert said.startswith("parity: Gap between groups\n    needs pip install 'aims-mlops[fairness]'")
    assert "systems.ID.checks[] (use: parity).data\n    The rows that are judged.\n    text; needed" in said
    assert "decide_on" not in said


def test_explain_gives_the_exit_codes_in_the_words_of_their_source(checks: CheckTypes) -> None:
    lines = explain("exit-codes", checks).splitlines()
    assert [line[0] for line in lines] == ["0", "1", "2", "3", "4", "5"]
    assert lines[0] == "0  Passed, allowed, or allowed by waiver."


def test_explain_of_something_unknown_names_the_nearest(checks: CheckTypes) -> None:
    with pytest.raises(UsageError, match="nothing is called 'max_agee'") as caught:
        explain("max_agee", checks)
    assert caught.value.hint == "did you mean 'max_age'?"


def test_explain_without_topic_lists_them_all(checks: CheckTypes) -> None:
    topics = explain("", checks).splitlines()
    assert {"exit-codes", "parity", "suite", "promotion", "trust"} <= set(topics)
    assert all(explain(topic, checks) for topic in topics[::8])


def test_every_key_of_the_grammar_is_explained(checks: CheckTypes) -> None:
    own = {key for check in checks.values() for key in check.options.model_fields}
    nodes = [node for node in schema(checks)["$defs"].values() if node.get("title") != "Limit"]
    bare = {name for node in nodes for name, key in node["properties"].items() if "description" not in key} - own
    assert bare == set()
