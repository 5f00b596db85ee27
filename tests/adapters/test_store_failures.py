"""A store that is away, read-only, locked, full, damaged or misnamed: what is said, and that nothing is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, make_url, text

from aims_mlops.adapters.file_lock import explain_os_error
from aims_mlops.adapters.postgres_database import PostgresDatabase
from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.sqlite_database import SqliteDatabase
from aims_mlops.adapters.stores import open_store, utc_now
from aims_mlops.errors import AimsError, MissingExtra, StoreError, UsageError
from aims_mlops.evidence.log import walk
from tests.adapters.appending import entry
from tests.adapters.homes import Home, audit, postgres_uri

NOBODY = 65534
WRITE = "write sqlite:///aims.db, postgresql://USER@HOST/DATABASE or a server's http(s):// in AIMS_STORE or `store:`"


def as_ordinary_user(work: Callable[[], str]) -> str:
    """Do something in a child process that is not root, since root may write everywhere; return what it said."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside pytest-xdist's threads
        child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        try:
            said = work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error} | {getattr(error, 'hint', '')}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        said = answers.read()
    os.waitpid(child, 0)
    return said


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


def in_folder(folder: Path) -> SqlEvidenceStore:
    return open_store("sqlite:///aims.db", root=folder)


def append_in(folder: Path) -> str:
    return str(in_folder(folder).append(entry("new")).leaf.seq)


def read_in(folder: Path) -> str:
    store = in_folder(folder)
    walked = walk(store.leaves(), registry_id=store.registry_id(), head=store.head())
    found = store.find(model="income")
    begins = f"{store.envelope(found[0])!r:.15}"
    return f"{len(walked.leaves)} leaves, {len(walked.faults)} faults, {len(found)} found, {begins}"


READ = '3 leaves, 0 faults, 3 found, b\'{"payload":"0'
READ_ONLY = (
    "StoreError: {place} is read-only for this user: nothing was written | "
    "give this user write access to the file and its folder, or name another store with AIMS_STORE"
)


def filled(folder: Path) -> None:
    store = in_folder(folder)
    for number in range(3):
        store.append(entry(str(number)))
    store.close()


def test_a_folder_that_cannot_be_written_takes_no_new_store(shared: Path) -> None:
    shared.chmod(0o555)
    assert as_ordinary_user(lambda: append_in(shared)) == (
        f"StoreError: {shared}/aims.db.create.lock cannot be written: Permission denied | "
        f"give this user write access to {shared}, or name another store with AIMS_STORE"
    )
    assert list(shared.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        append_in(tmp_path / "gone")
    assert str(caught.value) == f"the folder {tmp_path}/gone does not exist"
    assert caught.value.hint == f"make it: mkdir -p {tmp_path}/gone"


def test_a_store_in_a_read_only_folder_can_be_read_and_not_written(shared: Path) -> None:
    filled(shared)
    for path in shared.iterdir():
        path.chmod(0o444)
    shared.chmod(0o555)
    assert as_ordinary_user(lambda: read_in(shared)) == READ
    assert as_ordinary_user(lambda: append_in(shared)) == READ_ONLY.format(place=f"{shared}/aims.db")
    assert as_ordinary_user(lambda: read_in(shared)) == READ


def test_a_read_only_reader_sees_what_a_writer_has_open(shared: Path) -> None:
    filled(shared)
    writer = in_folder(shared)
    writer.append(entry("while it is open"))
    shared.chmod(0o555)
    said = as_ordinary_user(lambda: read_in(shared))
    writer.close()
    assert said == READ.replace("3", "4")


def test_a_read_only_database_file_is_not_written(shared: Path) -> None:
    filled(shared)
    (shared / "aims.db").chmod(0o444)
    shared.chmod(0o777)  # the folder is open, the file is not
    assert as_ordinary_user(lambda: append_in(shared)) == READ_ONLY.format(place=f"{shared}/aims.db")


def test_a_database_file_that_cannot_be_read_is_said(shared: Path) -> None:
    filled(shared)
    (shared / "aims.db").chmod(0o000)
    assert as_ordinary_user(lambda: read_in(shared)) == (
        f"StoreError: {shared}/aims.db cannot be opened | "
        "see that the file and its folder can be read and written by this user"
    )


def test_a_database_that_another_process_keeps_locked_is_given_up_after_the_time_limit(tmp_path: Path) -> None:
    filled(tmp_path)
    other = sqlite3.connect(tmp_path / "aims.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = SqlEvidenceStore(SqliteDatabase(tmp_path / "aims.db", clock=utc_now, busy_seconds=0.2))
    with pytest.raises(StoreError) as caught:
        store.append(entry("new"))
    assert str(caught.value) == f"{tmp_path}/aims.db is locked: another process has been writing for more than 0.2 s"
    assert caught.value.hint == "wait until the other run of aims is done, then repeat"
    assert len(audit(store).leaves) == 3
    other.execute("ROLLBACK")
    other.close()
    assert store.append(entry("new")).leaf.seq == 3


def test_a_database_that_may_not_grow_says_that_it_is_full_and_keeps_a_whole_log(tmp_path: Path) -> None:
    filled(tmp_path)
    database = SqliteDatabase(tmp_path / "aims.db", clock=utc_now)
    event.listen(database.engine, "connect", lambda driver, _: driver.execute("PRAGMA max_page_count=1").close())
    store = SqlEvidenceStore(database)
    with pytest.raises(StoreError) as caught:
        store.append(entry("big", size=200_000))
    assert str(caught.value) == f"{tmp_path}/aims.db cannot grow: the disk is full. Nothing was written"
    assert caught.value.hint == "free some space, then repeat"
    assert store.envelope(entry("big").payload) is None
    walked = audit(in_folder(tmp_path))
    assert (len(walked.leaves), walked.faults) == (3, ())
    assert in_folder(tmp_path).append(entry("big", size=200_000)).leaf.seq == 3


WRITER = [sys.executable, str(Path(__file__).with_name("appending.py"))]


def test_a_quota_on_the_files_size_leaves_a_whole_log(tmp_path: Path) -> None:
    filled(tmp_path)
    done = subprocess.run(
        [*WRITER, "sqlite:///aims.db", str(tmp_path), "new", "0"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3
    *told, refusal = done.stdout.splitlines()
    assert refusal == (
        f"! StoreError: {tmp_path}/aims.db cannot be read or written (I/O error; a full disk or quota does this too) | "
        "look at the disk's space and health, then repeat"
    )
    walked = audit(in_folder(tmp_path))
    assert (len(walked.leaves), walked.faults) == (3 + len(told), ())
    assert in_folder(tmp_path).append(entry("after")).leaf.seq == 3 + len(told)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("a small disk can be mounted only by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_says_so_and_leaves_a_whole_log(small_disk: Path) -> None:
    done = subprocess.run(
        [*WRITER, "sqlite:///aims.db", str(small_disk), "new", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    *told, refusal = done.stdout.splitlines()
    assert done.returncode == 3
    assert refusal.startswith("! StoreError: ")
    assert "is full" in refusal
    assert "free s" in refusal
    store = in_folder(small_disk)
    walked = audit(store)
    assert walked.faults == ()
    assert len(told) <= len(walked.leaves) <= len(told) + 1
    store.close()


@pytest.mark.parametrize(
    ("number", "message", "hint"),
    [
        pytest.param(
            errno.ENOSPC,
            "the disk (or quota) of /x/aims.db.head is full",
            "free space for /x, then repeat",
            id="no space",
        ),
        pytest.param(
            errno.EDQUOT,
            "the disk (or quota) of /x/aims.db.head is full",
            "free space for /x, then repeat",
            id="quota",
        ),
        pytest.param(
            errno.EROFS,
            "/x/aims.db.head cannot be written: Read-only file system",
            "give this user write access to /x, or name another store with AIMS_STORE",
            id="read-only file system",
        ),
        pytest.param(
            errno.EIO, "/x/aims.db.head cannot be used: Input/output error", "look at the file, then repeat", id="I/O"
        ),
    ],
)
def test_what_the_system_refuses_is_said_in_words(number: int, message: str, hint: str) -> None:
    error = explain_os_error(OSError(number, os.strerror(number)), Path("/x/aims.db.head"))
    assert (str(error), error.hint) == (message, hint)


def test_a_head_that_cannot_be_moved_is_said_and_the_next_append_of_the_statement_mends_it(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "aims.db.head.new").mkdir()
    store = in_folder(tmp_path)
    with pytest.raises(StoreError, match=r"aims\.db\.head"):
        store.append(entry("new"))
    (tmp_path / "aims.db.head.new").rmdir()
    assert store.append(entry("new")).leaf.seq == 3
    assert len(audit(store).leaves) == 4
    head = store.head()
    assert head is not None
    assert head.seq == 3


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "aims.db").write_text("name,age\n" * 2000)
    for use in (append_in, read_in):
        with pytest.raises(StoreError) as caught:
            use(tmp_path)
        assert str(caught.value) == f"{tmp_path}/aims.db is not an SQLite database"
        assert caught.value.hint == (
            "something wrote over it, or AIMS_STORE names the wrong file: "
            "put a backup back, then `aims evidence verify`"
        )
    assert (tmp_path / "aims.db").read_text() == "name,age\n" * 2000


def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    filled(tmp_path)
    size = (tmp_path / "aims.db").stat().st_size
    with (tmp_path / "aims.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    with pytest.raises(StoreError) as caught:
        read_in(tmp_path)
    assert str(caught.value) == f"{tmp_path}/aims.db is damaged: SQLite cannot read it"
    assert caught.value.hint == "put a backup back, then `aims evidence verify`"


def test_a_table_that_was_dropped_is_said(tmp_path: Path) -> None:
    filled(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "aims.db")) as connection:
        connection.execute("DROP TABLE aims_leaf")
    with pytest.raises(StoreError) as caught:
        append_in(tmp_path)
    assert str(caught.value) == f"{tmp_path}/aims.db cannot be used: no such table: aims_leaf"
    assert caught.value.hint == "look whether it is an evidence store that was changed by hand; else put a backup back"


@pytest.mark.parametrize(
    ("uri", "kind", "message"),
    [
        pytest.param(
            "mysql://u:secret@h/db", StoreError, "'mysql' is not a kind of evidence store that aims knows", id="MySQL"
        ),
        pytest.param(
            "postgresql+psycopg2://u:secret@h/db",
            StoreError,
            "'postgresql+psycopg2' is not a kind of evidence store that aims knows",
            id="another driver",
        ),
        pytest.param("aims.db", StoreError, "the store's address is not a database URI", id="a bare file name"),
        pytest.param("sqlite://", UsageError, "a store in memory would forget its evidence", id="no path"),
        pytest.param("sqlite:///:memory:", UsageError, "a store in memory would forget its evidence", id="memory"),
        pytest.param(
            "sqlite:///aims.db?mode=ro",
            UsageError,
            "the address of an SQLite store takes a path and nothing else",
            id="parameters of SQLite",
        ),
    ],
)
def test_an_address_that_is_no_store(uri: str, kind: type[AimsError], message: str, tmp_path: Path) -> None:
    with pytest.raises(kind) as caught:
        open_store(uri, root=tmp_path)
    assert (str(caught.value), caught.value.hint) == (message, WRITE)


def test_a_driver_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra) as caught:
        open_store("postgresql://h/db", root=tmp_path)
    assert str(caught.value) == "the library 'psycopg' is not installed, or does not import with what is installed"
    assert caught.value.hint == "pip install 'aims-mlops[postgres]'"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_place_of_a_server_shows_neither_password_nor_parameters(scheme: str, tmp_path: Path) -> None:
    store = open_store(f"{scheme}://ann:secret@db.example.org:5433/aims?password=hidden", root=tmp_path)
    assert store.place == "postgresql://ann:***@db.example.org:5433/aims"


def test_a_relative_sqlite_path_starts_from_the_project(tmp_path: Path) -> None:
    assert open_store("sqlite:///data/aims.db", root=tmp_path).place == f"{tmp_path}/data/aims.db"
    assert open_store("sqlite:////srv/aims.db", root=tmp_path).place == "/srv/aims.db"


def test_a_server_that_is_away_is_said_without_its_password(tmp_path: Path) -> None:
    store = open_store("postgresql://ann:secret@127.0.0.1:1/aims", root=tmp_path)
    for use in (lambda: store.append(entry("new")), store.head):
        with pytest.raises(StoreError) as caught:
            use()
        assert str(caught.value).startswith("postgresql://ann:***@127.0.0.1:1/aims does not answer: ")
        assert "refused" in str(caught.value)
        assert "secret" not in str(caught.value)
        assert caught.value.hint == (
            "see that the PostgreSQL server runs and that the address in AIMS_STORE or `store:` is right"
        )


def test_a_database_that_is_not_on_the_server_is_said(tmp_path: Path) -> None:
    url = make_url(postgres_uri()).set(database="no_such_database_of_aims")
    store = open_store(url.render_as_string(hide_password=False), root=tmp_path)
    with pytest.raises(StoreError, match="no_such_database_of_aims"):
        store.append(entry("new"))


def test_a_read_only_server_is_read_and_not_written(postgres: Home) -> None:
    postgres.open().append(entry("one"))
    uri = f"{postgres.uri} -cdefault_transaction_read_only=on".replace(" ", "%20")
    store = open_store(uri, root=postgres.root)
    assert len(audit(store).leaves) == 1
    with pytest.raises(StoreError) as caught:
        store.append(entry("two"))
    assert str(caught.value) == f"{store.place} is read-only: nothing was written"
    assert caught.value.hint == (
        "this is a standby or a read-only role: name the primary server in AIMS_STORE or `store:`"
    )
    store.close()


def test_a_role_without_rights_is_told_which_it_needs(postgres: Home) -> None:
    postgres.open().append(entry("one"))
    role, schema = "aims_reader_" + postgres.uri[-12:], postgres.uri.partition("%3D")[2]
    postgres.sql(f"CREATE ROLE {role} LOGIN")
    try:
        postgres.sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        postgres.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
        store = open_store(postgres.uri.replace("//postgres@", f"//{role}@"), root=postgres.root)
        assert len(audit(store).leaves) == 1
        with pytest.raises(StoreError) as caught:
            store.append(entry("two"))
        assert str(caught.value) == f"{store.place} is read-only for this role, or closed to it: permission denied"
        assert caught.value.hint == (
            "grant the role SELECT and INSERT on the aims_ tables (and CREATE on the schema for the first use)"
        )
        store.close()
    finally:
        postgres.sql(f"DROP OWNED BY {role}")
        postgres.sql(f"DROP ROLE {role}")


def test_a_server_whose_log_another_writer_keeps_locked_is_given_up_after_the_time_limit(postgres: Home) -> None:
    postgres.open().append(entry("one"))
    uri = postgres.uri.replace("postgresql:", "postgresql+psycopg:")
    database = PostgresDatabase(make_url(postgres.uri), head_folder=postgres.root / ".aims", busy_seconds=0.2)
    store = SqlEvidenceStore(database)
    other = create_engine(uri)
    with other.begin() as connection:
        database.serialise(connection)
        with pytest.raises(StoreError) as caught:
            store.append(entry("two"))
    other.dispose()
    assert str(caught.value) == f"{store.place} is locked: another process has been writing for more than 0.2 s"
    assert store.append(entry("two")).leaf.seq == 1
    store.close()


def test_a_server_that_cut_the_connection_off_is_reached_again(postgres: Home) -> None:
    database = PostgresDatabase(make_url(postgres.uri), head_folder=postgres.root / ".aims")
    store = SqlEvidenceStore(database)
    store.append(entry("one"))
    with database.engine.connect() as connection:
        process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    # Exactly the one idle connection of this store: the server may be shared.
    assert postgres.sql("SELECT pg_terminate_backend(:process)", process=process)[0][0]
    assert store.append(entry("two")).leaf.seq == 1
    assert audit(store).faults == ()
    store.close()


RAISE = "BEGIN RAISE EXCEPTION 'not today'; END"
DIE = "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END"
SWALLOW = "BEGIN RETURN NULL; END"
TABLES = ("aims_leaf", "aims_envelope")


@contextlib.contextmanager
def trigger(home: Home, table: str, body: str, *, at_commit: bool = False) -> Iterator[None]:
    home.sql(f"CREATE OR REPLACE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    kind = "CONSTRAINT TRIGGER meddling AFTER" if at_commit else "TRIGGER meddling BEFORE"
    when = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
    home.sql(f"CREATE {kind} INSERT ON {table} {when} FOR EACH ROW EXECUTE FUNCTION meddle()")
    yield
    home.sql(f"DROP TRIGGER meddling ON {table}")


def rows_of(home: Home) -> list[int]:
    return [home.sql(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("body", "at_commit", "said"),
    [
        pytest.param(RAISE, False, "refuses: not today (P0001)", id="at the insert"),
        pytest.param(RAISE, True, "refuses: not today (P0001)", id="at COMMIT"),
        pytest.param(DIE, False, "does not answer: ", id="with the connection"),
    ],
)
def test_an_append_that_fails_on_the_server_leaves_its_connections_whole(
    postgres: Home,
    table: str,
    body: str,
    at_commit: bool,  # noqa: FBT001
    said: str,
) -> None:
    store = postgres.open()
    store.append(entry("one"))
    with trigger(postgres, table, body, at_commit=at_commit):
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                store.append(entry("two"))
            assert str(caught.value).startswith(f"{store.place} {said}")
            head = store.head()  # over the same pool
            assert (head.seq if head else None, len(store.envelope_digests())) == (0, 1)
    assert store.append(entry("two")).leaf.seq == 1
    assert (rows_of(postgres), audit(store).faults) == ([2, 2], ())


def test_a_first_question_that_fails_leaves_its_connections_whole(postgres: Home) -> None:
    store = postgres.open()
    store.append(entry("one"))
    postgres.sql("ALTER TABLE aims_leaf RENAME TO aims_leaf_away")
    for use in (lambda: store.append(entry("two")), store.head):
        with pytest.raises(StoreError, match="aims_leaf"):
            use()
    postgres.sql("ALTER TABLE aims_leaf_away RENAME TO aims_leaf")
    assert store.append(entry("one")).leaf.seq == 0  # there already: left without a commit
    assert len(store.envelope_digests()) == 1
    assert store.append(entry("two")).leaf.seq == 1
    assert audit(store).faults == ()


NOT_KEPT = (
    "took a leaf and its envelope without an error, and does not hold both as they were written: nothing was committed"
)


def refused_as_not_kept(store: SqlEvidenceStore, name: str) -> None:
    with pytest.raises(StoreError) as caught:
        store.append(entry(name))
    assert str(caught.value) == f"{store.place} {NOT_KEPT}"
    assert caught.value.hint == (
        "look for a trigger or a rule on the aims_ tables that drops or changes rows, take it away, then repeat"
    )


@pytest.mark.parametrize(
    ("table", "body"),
    [
        *(pytest.param(table, SWALLOW, id=f"{table} swallowed") for table in TABLES),
        pytest.param("aims_leaf", "BEGIN NEW.leaf = 'other'; RETURN NEW; END", id="another leaf"),
        pytest.param("aims_leaf", "BEGIN NEW.seq = 7; RETURN NEW; END", id="another place"),
    ],
)
@pytest.mark.parametrize("tile", [False, True], ids=["in the pipeline", "with a tile"])
def test_a_row_that_the_server_swallows_is_not_acknowledged(
    postgres: Home,
    table: str,
    body: str,
    tile: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if tile:  # the leaf that fills one is committed outside the pipeline
        monkeypatch.setattr("aims_mlops.adapters.sql_store.fills_tile", lambda size: size == 2)
        monkeypatch.setattr(SqlEvidenceStore, "_keep_tiles", lambda *_given, **_size: None)
    store = postgres.open()
    store.append(entry("one"))
    with trigger(postgres, table, body):
        for _ in range(2):
            refused_as_not_kept(store, "two")
    head = store.head()
    assert (rows_of(postgres), head.seq if head else None) == ([1, 1], 0)
    assert store.append(entry("two")).leaf.seq == 1
    assert audit(store).faults == ()


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_sqlite_swallows_is_not_acknowledged(sqlite: Home, table: str) -> None:
    store = sqlite.open()
    store.append(entry("one"))
    sqlite.sql(f"CREATE TRIGGER meddling BEFORE INSERT ON {table} BEGIN SELECT RAISE(IGNORE); END")
    for _ in range(2):
        refused_as_not_kept(store, "two")
    sqlite.sql("DROP TRIGGER meddling")
    head = store.head()
    assert (rows_of(sqlite), head.seq if head else None) == ([1, 1], 0)
    assert store.append(entry("two")).leaf.seq == 1
    assert audit(store).faults == ()
