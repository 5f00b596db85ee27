"""Time stamps, a git repository and messages: what each of them finds, and what it is called."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.adapters.checkpoint_sender import send
from aims_mlops.adapters.git_anchor import GitAnchor
from aims_mlops.adapters.timestamp_authority import TimestampAuthority
from aims_mlops.api.anchoring import TIMESTAMP, anchors_of
from aims_mlops.api.giving_away import give
from aims_mlops.api.stamping import must_stamp, stamp_newest
from aims_mlops.errors import CannotDecide, ExitCode, NothingToDo, UsageError, VerificationError
from aims_mlops.evidence.pasted import pasted
from aims_mlops.model.register import Recipient
from aims_mlops.views.anchors import given_table, given_wire, stamps_table, stamps_wire
from aims_mlops.views.checkpoints import log_table, log_wire
from aims_mlops.views.layout import render
from tests.adapters.authority import Authority, authority
from tests.api.logs import LogWorld
from tests.api.test_checkpoints import rewrite, sql


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[LogWorld]:
    made = LogWorld(tmp_path)
    made.write(3)
    made.checkpoint()
    yield made
    made.close()


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    if shutil.which("openssl") is None:
        pytest.fail("openssl is needed to be a time stamp authority")
    with authority(tmp_path_factory.mktemp("authority") / "tsa").listening() as made:
        yield made


def trusting(world: LogWorld, *authorities: Authority, roots: Path | None = None) -> api.Services:
    built = tuple(TimestampAuthority(item.url, roots or item.roots) for item in authorities)
    return replace(world.services, authorities=built)


def shown(table: Any) -> str:
    return " ".join(render(table, width=200).split())


# Time stamps


def test_a_checkpoint_is_stamped_and_the_stamp_verifies_offline(logged: LogWorld, tsa: Authority) -> None:
    services = trusting(logged, tsa)
    before = datetime.now(UTC).replace(microsecond=0)
    made = stamp_newest(services, must_stamp(services)[0])
    assert (made.size, made.by) == (3, tsa.url)
    assert made.at is not None
    assert before <= made.at <= datetime.now(UTC) + timedelta(seconds=2)  # the accuracy that it says
    asked = len(tsa.asked)

    found = api.verify_checkpoints(services)

    assert (found.troubles, found.stamped, found.stamps) == ((), 3, (made,))
    assert len(tsa.asked) == asked
    assert log_wire(found)["timestamps"] == stamps_wire([made], {}, 0)["timestamps"]
    assert f"time stamp of 3 leaves: they existed at {made.at:%Y-%m-%dT%H:%M:%S}" in shown(log_table(found))
    assert "time-stamped up to 3 leaves; UNWITNESSED: 3 leaves" in shown(log_table(found))
    assert found.exit_code == ExitCode.NOTHING  # a stamp shows nobody a second history
    assert "a stamp says when, and witnesses no history" in shown(stamps_table([made], {}))


def test_openssl_verifies_the_stamp_over_the_first_lines_of_the_checkpoint(
    logged: LogWorld, tsa: Authority, tmp_path: Path
) -> None:
    services = trusting(logged, tsa)
    stamp_newest(services, services.authorities[0])
    ((_, stamp),) = logged.store.timestamps()
    note = logged.store.last_checkpoint()
    assert note is not None
    (tmp_path / "text").write_bytes(b"".join(note.splitlines(keepends=True)[:3]))
    (tmp_path / "stamp").write_bytes(stamp)
    said = ["openssl", "ts", "-verify", "-data", "text", "-in", "stamp", "-CAfile", str(tsa.roots)]
    assert b"OK" in subprocess.run(said, cwd=tmp_path, capture_output=True, check=True).stdout


def test_a_stamp_is_an_anchor_of_the_log_that_it_was_made_of(logged: LogWorld, tsa: Authority) -> None:
    services = trusting(logged, tsa)
    made = stamp_newest(services, services.authorities[0])
    (anchor,) = anchors_of(services)
    assert (anchor.kind, anchor.by, anchor.size, anchor.at) == (TIMESTAMP, tsa.url, 3, made.at)
    assert anchors_of(logged.services) == ()  # who trusts no authority has no anchor
    rewrite(logged, 1)
    assert anchors_of(trusting(logged, tsa)) == ()


def test_what_is_no_stamp_of_this_checkpoint_now_is_not_kept(
    logged: LogWorld, tsa: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = trusting(logged, tsa)
    stamp_newest(services, services.authorities[0])
    ((_, earlier),) = logged.store.timestamps()
    logged.write()
    logged.checkpoint()
    other = authority(tmp_path / "other")
    refused: list[tuple[dict[str, Any], Path, str]] = [
        ({"answer": earlier}, tsa.roots, "Nonce mismatch"),
        ({"answer": b"something"}, tsa.roots, "time stamp: "),
        ({}, other.roots, "time stamp: "),
        ({}, tmp_path / "none.pem", r"the roots none\.pem of .* cannot be read"),
    ]
    for changes, roots, said in refused:
        with monkeypatch.context() as patched:
            for name, value in changes.items():
                patched.setattr(tsa, name, value)
            asking = trusting(logged, tsa, roots=roots)
            with pytest.raises(VerificationError, match=said):
                stamp_newest(asking, asking.authorities[0])
    monkeypatch.setattr(tsa, "status", 500)
    with pytest.raises(CannotDecide, match="answered 500: no time stamp"):
        stamp_newest(services, services.authorities[0])
    assert len(logged.store.timestamps()) == 1


def test_a_stamp_that_was_changed_or_moved_is_told(logged: LogWorld, tsa: Authority, tmp_path: Path) -> None:
    services = trusting(logged, tsa)
    stamp_newest(services, services.authorities[0])
    ((over, stamp),) = logged.store.timestamps()
    logged.write()
    second = logged.checkpoint().signed.note.text
    for changed in (stamp[:-20] + bytes([stamp[-20] ^ 1]) + stamp[-19:], stamp[:-1]):
        sql(logged, "UPDATE aims_timestamp SET stamp = :stamp", stamp=changed)
        (trouble,) = api.verify_checkpoints(services).troubles
        assert (trouble.word, trouble.where) == ("unproved", "time stamp of 3 leaves")
        assert api.verify_checkpoints(services).exit_code == ExitCode.UNVERIFIED
    from aims_mlops.model.digest import Digest

    sql(logged, "UPDATE aims_timestamp SET stamp = :s, checkpoint = :c", s=stamp, c=str(Digest.of(second)))
    found = api.verify_checkpoints(services)
    assert (found.troubles[0].where, found.stamped) == ("time stamp of 4 leaves", 0)
    assert "Mismatch between messages" in found.troubles[0].what
    sql(logged, "UPDATE aims_timestamp SET checkpoint = 'sha256:none'")
    assert "a checkpoint that is not kept" in api.verify_checkpoints(services).troubles[0].what
    sql(logged, "UPDATE aims_timestamp SET checkpoint = :c", c=over)
    assert api.verify_checkpoints(services).troubles == ()
    assert "no authority of aims.yaml" in api.verify_checkpoints(logged.services).troubles[0].what


def test_nothing_is_stamped_without_an_authority_or_a_checkpoint(world: Any, logged: LogWorld, tsa: Authority) -> None:
    with pytest.raises(UsageError, match=r"aims\.yaml trusts no time stamp authority"):
        must_stamp(logged.services)
    (logged.folder / "new").mkdir()
    fresh = LogWorld(logged.folder / "new")
    services = trusting(fresh, tsa)
    with pytest.raises(NothingToDo, match="no checkpoint of this log was signed yet"):
        stamp_newest(services, services.authorities[0])
    fresh.close()


# A git repository


def git(folder: Path, *arguments: str) -> str:
    said = ["git", "-C", str(folder), "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(said, capture_output=True, check=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "anchors"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "Keeper of the log")
    git(folder, "config", "user.email", "log-keeper@example.org")
    return folder


def brought(world: LogWorld, folder: Path) -> api.LogVerification:
    origin = api.identity(world.services).origin
    return api.verify_checkpoints(world.services, GitAnchor(folder).checkpoints(origin))


def test_checkpoints_are_committed_one_after_the_other_and_compared(logged: LogWorld, repository: Path) -> None:
    first = give(logged.services, GitAnchor(repository))
    assert (first.size, first.left, first.compared) == (3, False, 0)
    assert "it has not left this machine" in shown(given_table(first, [], {}, 3))
    assert "3 leaves: still unwitnessed" in shown(given_table(first, [], {}, 3))
    give(logged.services, GitAnchor(repository))  # the same again makes no commit
    logged.write()
    logged.checkpoint()
    second = give(logged.services, GitAnchor(repository))
    assert (second.size, second.compared) == (4, 1)
    assert git(repository, "log", "--format=%s").count("Checkpoint of") == 2
    found = brought(logged, repository)
    assert (found.exit_code, found.compared, found.unwitnessed) == (ExitCode.OK, 4, 0)
    assert "compared up to 4 leaves" in shown(log_table(found))


def test_a_checkpoint_is_pushed_where_a_remote_is_set(logged: LogWorld, repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(repository, "config", "push.default", "current")
    given = give(logged.services, GitAnchor(repository))
    assert given.left
    assert git(tmp_path / "remote.git", "log", "--all", "--format=%s").startswith("Checkpoint of 3 leaves")
    assert given_wire(given, [], {}, size=3, code=0)["git"]["pushed"] is True
    git(repository, "remote", "set-url", "origin", str(tmp_path / "away.git"))
    with pytest.raises(CannotDecide, match=r"git push .* failed"):
        give(logged.services, GitAnchor(repository))


def test_a_log_that_was_rewritten_is_found_by_the_repository_and_given_no_more(
    logged: LogWorld, repository: Path
) -> None:
    give(logged.services, GitAnchor(repository))
    rewrite(logged, 1)
    sql(logged, "DELETE FROM aims_checkpoint")
    (logged.folder / "aims.db.checkpoint").unlink()
    logged.write()
    logged.checkpoint()  # whoever has the log's key signs what he likes
    assert logged.verify().troubles == ()
    for remove in (False, True):
        if remove:  # a commit that takes the file away does not take it from the history
            git(repository, "rm", "--quiet", "-r", "aims-log")
            git(repository, "commit", "--quiet", "--message", "tidy up")
        found = brought(logged, repository)
        assert found.exit_code == ExitCode.UNVERIFIED
        assert "the log was rewritten, or forked from an old copy" in found.troubles[0].what
        with pytest.raises(VerificationError, match="the log does not hold: checkpoint of 3"):
            give(logged.services, GitAnchor(repository))


def test_a_folder_that_is_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no git repository"):
        GitAnchor(tmp_path)


# Messages


def mail(note: bytes, **headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in headers.items():
        message[name] = value
    message.set_content(f"Keep this.\n\n{note.decode()}\nRegards\n")
    return message


def test_a_checkpoint_is_found_in_a_message_however_it_was_handed_on(logged: LogWorld) -> None:
    origin = api.identity(logged.services).origin
    note = logged.store.last_checkpoint()
    assert note is not None
    text = note.decode()
    mails = [mail(note, Subject="x") for _ in range(3)]
    for item, encoding in zip(mails, ("8bit", "quoted-printable", "base64"), strict=True):
        item.set_content(item.get_content(), cte=encoding)
    quoted = "".join(f"> {line}\n" for line in text.splitlines())
    for message in (
        note,
        f"Dear auditor,\n\n{text}\n-- \nThe log\n".encode(),
        f"On Monday somebody wrote:\n> Keep this.\n>\n{quoted}".encode(),
        text.replace("\n", "\r\n").encode(),
        "".join(f"    {line}\n" for line in text.splitlines()).encode(),
        *(item.as_bytes() for item in mails),
    ):
        assert pasted(message, origin=origin) == note
        assert logged.verify(message=pasted(message, origin=origin)).compared == 3


@pytest.mark.parametrize("change", [b"", b"hello", b"aims-mlops/x\n3\nAAAA\n\n", b"\xff\xfe" * 10, b"Subject: x\n\nno"])
def test_a_message_without_a_checkpoint_is_told(change: bytes) -> None:
    with pytest.raises(VerificationError, match="no checkpoint of the log 'aims-mlops/x'"):
        pasted(change, origin="aims-mlops/x")


def test_a_message_with_two_checkpoints_is_told_and_a_changed_one_does_not_verify(logged: LogWorld) -> None:
    origin, first = api.identity(logged.services).origin, logged.store.last_checkpoint()
    logged.write()
    logged.checkpoint()
    second = logged.store.last_checkpoint()
    assert first is not None
    assert second is not None
    with pytest.raises(VerificationError, match="2 different checkpoints"):
        pasted(first + b"\n" + second, origin=origin)
    found = logged.verify(message=pasted(first.replace(b"\n3\n", b"\n2\n"), origin=origin))
    assert found.exit_code == ExitCode.UNVERIFIED


def test_a_checkpoint_is_posted_and_mailed(logged: LogWorld, monkeypatch: pytest.MonkeyPatch, tsa: Authority) -> None:
    origin, signed = api.to_send(logged.services)
    note = signed.note.to_bytes()
    monkeypatch.setattr(tsa, "answer", b"thanks")
    send(Recipient(url=tsa.url), note, origin=origin, size=3)
    assert tsa.asked[-1] == note
    monkeypatch.setattr(tsa, "status", 403)
    with pytest.raises(CannotDecide, match="answered 403: the checkpoint was not taken"):
        send(Recipient(url=tsa.url), note, origin=origin, size=3)
    with pytest.raises(CannotDecide, match=r"auditor@example\.org: the mail server 127\.0\.0\.1:9 did not take"):
        send(Recipient(None, "auditor@example.org", "127.0.0.1:9", "log@example.org"), note, origin=origin, size=3)
    with smtp() as (port, taken):
        send(
            Recipient(None, "auditor@example.org", f"127.0.0.1:{port}", "log@example.org"), note, origin=origin, size=3
        )
    (message,) = taken
    assert b"To: auditor@example.org" in message
    assert pasted(message, origin=origin) == note


def smtp() -> Any:
    """A mail server that takes one mail."""
    import socket
    import threading
    from contextlib import contextmanager

    @contextmanager
    def serving() -> Iterator[tuple[int, list[bytes]]]:
        taken: list[bytes] = []

        def serve(server: socket.socket) -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rwb", buffering=0) as talk:
                talk.write(b"220 here\r\n")
                while line := talk.readline():
                    word = line[:4].upper()
                    if word == b"DATA":
                        talk.write(b"354 go on\r\n")
                        lines = []
                        while (part := talk.readline()) != b".\r\n":
                            lines.append(part)
                        taken.append(b"".join(lines))
                    talk.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")

        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=serve, args=(server,), daemon=True)
            thread.start()
            yield server.getsockname()[1], taken
            thread.join(10)

    return serving()
