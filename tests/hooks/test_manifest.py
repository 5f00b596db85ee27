"""The manifest of a model's files: the text of sha256sum, and what it refuses."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.errors import VerificationError
from aims_mlops.evidence import manifest

A = "0" * 64
B = "1" * 64


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "model.bin").write_bytes(b"\x00weights")
    (folder / "data-2").write_text("x")
    (folder / "ünder score").write_text("y")
    return folder


def test_it_is_what_sha256sum_writes_and_checks(model: Path) -> None:
    text = manifest.build(model)
    paths = [line.partition(b"  ")[2] for line in text.splitlines()]
    assert paths == sorted(paths)
    assert paths == [b"MLmodel", b"data-2", b"data/model.bin", "ünder score".encode()]
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input=text, cwd=model, check=True)
    written = subprocess.run(
        ["sha256sum", *[path.decode() for path in paths]], cwd=model, check=True, capture_output=True
    )
    assert written.stdout == text


def test_a_copy_has_the_manifest_of_its_source_and_is_private(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    assert manifest.copy(model, target) == manifest.build(model) == manifest.build(target)
    assert (target / "data" / "model.bin").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("model_name: income\nmodel_version: '3'\n", id="quoted version"),
        pytest.param("model_name: income\nmodel_version: 3\n", id="plain version"),
        pytest.param("model_name: 'a: b'\nmodel_version: '3'\n", id="quoted name"),
    ],
)
def test_the_file_that_mlflow_adds_on_loading_is_not_part_of_the_model(
    model: Path, tmp_path: Path, content: str
) -> None:
    before = manifest.build(model)
    (model / manifest.META_FILE).write_text(content)
    assert manifest.build(model) == before
    target = tmp_path / "copy"
    target.mkdir()
    assert manifest.copy(model, target) == before
    assert not (target / manifest.META_FILE).exists()


def test_mlflows_own_writing_of_that_file_is_understood(model: Path) -> None:
    from mlflow.utils.yaml_utils import write_yaml

    before = manifest.build(model)
    for name in ("income", "prod.income: the second", "x" * 200, "many words " * 30):
        data = {"model_name": name, "model_version": "12"}
        write_yaml(str(model), manifest.META_FILE, data, overwrite=True, ensure_yaml_extension=False)  # type: ignore[no-untyped-call]  # MLflow's own
        assert manifest.build(model) == before, name


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("model_name: income\n", id="one key"),
        pytest.param("model_name: income\nmodel_version: '3'\nrun: x\n", id="three keys"),
        pytest.param("model_name: income\nmodel_version: !!python/object:x 3\n", id="a YAML tag"),
        pytest.param("model_name: " + "x" * 1100 + "\nmodel_version: '3'\n", id="more than a kilobyte"),
        pytest.param("import os\n", id="code"),
        pytest.param("", id="empty"),
    ],
)
def test_anything_else_of_that_name_counts_as_a_file(model: Path, content: str) -> None:
    before = manifest.build(model)
    (model / manifest.META_FILE).write_text(content)
    assert manifest.compare(before, manifest.build(model)) == ((manifest.META_FILE,), (), ())


def test_that_file_counts_in_a_folder_below(model: Path) -> None:
    before = manifest.build(model)
    (model / "data" / manifest.META_FILE).write_text("model_name: income\nmodel_version: '3'\n")
    assert manifest.build(model) != before


def _link(folder: Path) -> None:
    (folder / "odd").symlink_to(folder / "MLmodel")


def _folder_link(folder: Path) -> None:
    (folder / "odd").symlink_to(folder / "data")


def _dangling(folder: Path) -> None:
    (folder / "odd").symlink_to("/nowhere")


def _meta_link(folder: Path) -> None:
    (folder / manifest.META_FILE).symlink_to(folder / "MLmodel")


def _replaced(folder: Path) -> None:
    (folder / "data-2").unlink()
    (folder / "data-2").symlink_to(folder / "MLmodel")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "odd")


def _socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("odd")
    finally:
        os.chdir(here)


def _write(name: str | bytes, folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/" + os.fsencode(name))).write_text("x")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(_link, "'odd' in the model's folder is a link", id="a link to a file"),
        pytest.param(_folder_link, "'odd' in the model's folder is a link", id="a link to a folder"),
        pytest.param(_dangling, "'odd' in the model's folder is a link", id="a link to nothing"),
        pytest.param(_replaced, "'data-2' in the model's folder is a link", id="a file replaced by a link"),
        pytest.param(_meta_link, "is a link", id="MLflow's file as a link"),
        pytest.param(_pipe, "neither a file nor a folder", id="a pipe"),
        pytest.param(_socket, "neither a file nor a folder", id="a socket"),
        pytest.param(lambda f: _write("a\nb", f), "control character", id="a line break in a name"),
        pytest.param(lambda f: _write("a\\b", f), "backslash", id="a backslash in a name"),
        pytest.param(lambda f: _write(b"\xff\xfe", f), "not a name in UTF-8", id="a name that is not UTF-8"),
        pytest.param(lambda f: _write("mlMODEL", f), "differ only in case", id="names equal but for case"),
        pytest.param(lambda f: _write("u\u0308nder score", f), "Unicode form", id="names equal but for Unicode form"),
    ],
)
def test_a_folder_that_could_be_read_in_two_ways_is_refused(
    model: Path, tmp_path: Path, spoil: object, words: str
) -> None:
    assert callable(spoil)
    spoil(model)
    with pytest.raises(VerificationError) as refusal:
        manifest.build(model)
    assert words in str(refusal.value)
    target = tmp_path / "copy"
    target.mkdir()
    with pytest.raises(VerificationError):
        manifest.copy(model, target)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model" / "empty").mkdir(parents=True)
    with pytest.raises(VerificationError, match="holds no file"):
        manifest.build(tmp_path / "model")


@pytest.mark.parametrize("kind", ["missing", "a file", "a link"])
def test_only_a_folder_has_a_manifest(model: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "other"
    if kind == "a file":
        path.write_text("x")
    elif kind == "a link":
        path.symlink_to(model)
    with pytest.raises(VerificationError, match="folder"):
        manifest.build(path)


def test_a_comparison_names_what_was_added_removed_and_changed(model: Path) -> None:
    before = manifest.build(model)
    (model / "new").write_text("n")
    (model / "data-2").unlink()
    (model / "MLmodel").write_text("flavors: {evil: 1}\n")
    assert manifest.compare(before, manifest.build(model)) == (("new",), ("data-2",), ("MLmodel",))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(f"{A}  a", id="no line end"),
        pytest.param(f"{A} *a\n", id="binary mode"),
        pytest.param(f"{A}  b\n{A}  a\n", id="not sorted"),
        pytest.param(f"{A}  a\n{B}  a\n", id="a path twice"),
        pytest.param(f"{A}  ../a\n", id="a path upwards"),
        pytest.param(f"{A}  /a\n", id="an absolute path"),
        pytest.param(f"{A}  a//b\n", id="an empty part"),
        pytest.param(f"{A.upper()[:-1]}F  a\n", id="capital digits"),
        pytest.param(f"{A}  a\nrubbish\n", id="rubbish after"),
        pytest.param(f"rubbish\n{A}  a\n", id="rubbish before"),
        pytest.param(f"{A}  a\r\n", id="a carriage return"),
    ],
)
def test_a_text_that_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        manifest.parse(text.encode())


_PARTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1, max_size=8
)


@given(
    st.dictionaries(
        _PARTS.filter(lambda part: part not in (".", "..")), st.binary(min_size=32, max_size=32), min_size=1
    )
)
def test_whatever_is_written_can_be_read(files: dict[str, bytes]) -> None:
    lines = sorted((path.encode(), content.hex()) for path, content in files.items())
    text = b"".join(digest.encode() + b"  " + path + b"\n" for path, digest in lines)
    assert manifest.parse(text) == {path: content.hex() for path, content in files.items()}
