"""Spellings of places, the scheme `aims:`, and the locations that a server refuses."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from aims_mlops_hooks.mlflow.artifact_store import build
from aims_mlops_hooks.mlflow.destination import CONFIGURED
from aims_mlops_hooks.mlflow.freeze_locations import must_be_apart
from aims_mlops_hooks.mlflow.freeze_places import (
    OddPathError,
    Place,
    clean,
    destination,
    is_evidence,
    proxied_path,
    touches_evidence,
)
from aims_mlops_hooks.mlflow.freeze_server import stored_inside
from tests.hooks.frozen_world import refused

pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("path", ["a//b", "a/./b", "./a", "a/../b", "..", ".", "/a", "a/b//", "a\nb", "a\0b", "../a"])
def test_a_path_that_does_not_stand_for_itself_is_odd(path: str) -> None:
    with pytest.raises(OddPathError):
        clean(path)


@pytest.mark.parametrize("path", ["a%2fb", "%2e", "a%252e", "a\\b", "file:a", "%61"])
def test_a_path_that_a_reader_may_unescape_is_odd_for_a_deletion_only(path: str) -> None:
    assert clean(path) == path
    with pytest.raises(OddPathError):
        clean(path, deletes=True)


def test_a_closing_slash_and_no_path_at_all_are_plain() -> None:
    assert (clean("a/b/"), clean(""), clean(None), clean("/")) == ("a/b", "", "", "")


@pytest.mark.parametrize(
    "other", ["a/B", "a//b", "a/./b", "A/b ", "a/b.", "a\\b", "x/../a/b"], ids=lambda text: text.replace("/", "|")
)
def test_spellings_of_one_place_are_equal(other: str) -> None:
    bucket = Place.of("s3://bucket/root")
    assert bucket.at(other).path == bucket.at("a/b").path


def test_composed_and_decomposed_letters_are_one_place() -> None:
    bucket = Place.of("s3://bucket")
    assert bucket.at("mod\u00e8le").path == bucket.at("mode\u0300le").path


def test_places_of_different_buckets_and_prefixes_do_not_overlap() -> None:
    place = Place.of("s3://bucket/artifacts")
    assert not place.overlaps(Place.of("s3://bucket/artifacts2"))
    assert not place.overlaps(Place.of("s3://other/artifacts"))
    assert place.overlaps(Place.of("s3://bucket"))
    assert place.overlaps(Place.of("s3://bucket/artifacts/1/"))


def test_a_link_is_the_place_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    assert Place.of(f"file://{tmp_path}/link/a").within(Place.of(str(tmp_path / "there")))


def test_what_is_evidence_goes_by_its_folder() -> None:
    assert is_evidence(("1", "r", "artifacts", "aims", "income", "1", "x"))
    assert not is_evidence(("1", "r", "artifacts", "aims", "income", "1"))
    assert touches_evidence(("1", "r", "artifacts", "aims"))
    assert not touches_evidence(("1", "r", "artifacts", "aimsless", "a", "b", "c"))


def test_a_proxied_uri_stands_for_a_path_whatever_host_it_names() -> None:
    assert proxied_path("mlflow-artifacts:/1/a") == "1/a"
    assert proxied_path("mlflow-artifacts://host:5000/1/a") == "1/a"
    assert proxied_path("https://host/api/2.0/mlflow-artifacts/artifacts/1/a") == "1/a"
    assert proxied_path("s3://bucket/1/a") is None


# The scheme


def test_only_the_servers_own_destination_is_served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(CONFIGURED, raising=False)
    assert "'aims:' stands for the server's --artifacts-destination alone" in refused(build, f"aims:{tmp_path}")
    own = f"aims:{tmp_path}/art"
    monkeypatch.setenv(CONFIGURED, own)
    other = [
        "aims:/etc",
        "aims:file:///etc",
        f"{own}/..",
        f"{own}/../x",
        f"{own}/1/models",
        f"{own}x/traces/t/artifacts",
    ]
    other += [f"{own}/%2e%2e/traces/t/artifacts", f"{own}/../traces/t/artifacts", f"{own}//traces/t/artifacts"]
    for uri in other:
        refused(build, uri)
    assert destination() == f"{tmp_path}/art"


def test_a_destination_without_a_storage_of_its_own_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException

    for inner in ("http://host/x", "models:/a/1", "mlflow-artifacts:/x", "nothing://x", "aims:/x"):
        monkeypatch.setenv(CONFIGURED, f"aims:{inner}")
        with pytest.raises(MlflowException, match="cannot be frozen"):
            build(f"aims:{inner}")


def test_a_version_is_stored_inside_by_its_real_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(CONFIGURED, raising=False)
    assert stored_inside("s3://anywhere"), "without a freeze nothing lies outside it"
    monkeypatch.setenv(CONFIGURED, f"aims:{tmp_path}/art")
    assert stored_inside("mlflow-artifacts:/1/models/m-1/artifacts")
    assert stored_inside(f"file://{tmp_path}/art/1")
    assert not stored_inside(f"{tmp_path}/artifacts/1")
    assert not stored_inside("s3://bucket/1")


@pytest.mark.parametrize("location", ["file:///srv/art/1", "/srv/art", "/srv", "/", "file:/srv/./art/x", "/srv/ART"])
def test_a_location_that_overlaps_the_destination_is_refused(location: str) -> None:
    said = refused(partial(must_be_apart, location, Place.of("/srv/art"), column="artifact_location"))
    assert "leads into the store whose checked models are frozen" in said


@pytest.mark.parametrize("location", ["/srv/art2", "mlflow-artifacts:/1", "s3://srv/art", "file:///elsewhere"])
def test_a_location_elsewhere_or_behind_the_proxy_is_free(location: str) -> None:
    must_be_apart(location, Place.of("/srv/art"), column="artifact_location")


@pytest.mark.parametrize("location", ["aims:/etc", "AIMS:/etc", " aims:x", "aims+file:///etc"])
def test_the_scheme_is_refused_as_any_location(location: str) -> None:
    for alone in (True, False):
        refused(partial(must_be_apart, location, Place.of("/srv/art"), column="source", alone=alone))


def test_importing_the_scheme_does_nothing_heavy_in_a_client() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import aims_mlops_hooks.mlflow.artifact_store; "
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('mlflow', 'sqlalchemy', 'aims_mlops')))"
    )
    clean_env = {name: value for name, value in os.environ.items() if name != CONFIGURED}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean_env)
    assert said.stdout.strip() == "[]"
