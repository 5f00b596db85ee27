"""Closes a process off from the machine before it loads a model: Landlock, a network of its own, no new privileges.

Standard library only, since the child loads this file by its path before anything else. What Landlock (Linux 5.13 and
later) denies: every file outside the allow-list, for reading and writing; from ABI 4 on TCP; from ABI 6 on signals to
other processes; and the memory and environment of processes that are less closed off. Where user namespaces are
allowed, the process also gets a network with nothing in it, shared memory of its own, and is the first of its own
processes: it sees no other, and what it leaves behind ends with it. Not denied: connecting to a named Unix socket
that the user may write to, processor time, memory, and filling the private folder.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_RULE_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_TCP = 0b11
_SCOPES = 0b11
_PR_SET_PDEATHSIG, _PR_GET_DUMPABLE, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 3, 4, 38
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000

# Not /usr as a whole: /usr/src/app is where many images keep the project, keys and all.
_SYSTEM = (
    *("/lib", "/lib32", "/lib64", "/bin", "/sbin", "/nix/store"),
    *(f"/usr/{part}" for part in ("lib", "lib32", "lib64", "libexec", "bin", "sbin", "share")),
    *(f"/usr/local/{part}" for part in ("lib", "lib64", "bin", "share", "cuda")),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/ssl/openssl.cnf"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system", "/sys/fs/cgroup"),
    *("/dev/zero", "/dev/random", "/dev/urandom"),
)
_OF_PYTHON = ("lib", "lib64", "bin", "share", "ssl", "pyvenv.cfg")


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel offers; 0 where there is none, as on other systems."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE, None, 0, 1)))


def enter(abi: int, *, readable: Iterable[str], writable: str) -> None:
    """Close this process off for good; raises `OSError` where the kernel refuses what it offered.

    Call it before any thread is started. `abi` 0 means that only what every system can do is done: no core dumps.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if abi == 0:
        return
    libc = _libc()
    # Best effort: many systems forbid user namespaces, and TCP is denied below as well.
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWPID) == 0:
        _be_the_first_process(libc)
    _must(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    handled = _all_rights(abi)
    wanted = _Ruleset(handled, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _must(libc.syscall(_CREATE, ctypes.byref(wanted), size, 0))
    for path in (*_python(), *_SYSTEM, *readable):
        _allow(ruleset, path, _READ & handled)
    _allow(ruleset, "/dev/null", (_READ_FILE | _WRITE_FILE) & handled)
    _allow(ruleset, writable, handled)
    _must(libc.syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _be_the_first_process(libc: ctypes.CDLL) -> None:
    """Go on as the first process of the new namespace; this one stays to hand on how it ended."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)
    _must(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


@contextmanager
def hidden(abi: int) -> Iterator[None]:
    """Keep this process's own environment from its user's other processes while a child runs without Landlock.

    On Linux the process is made undumpable for that time; elsewhere, and for root, nothing can be done.
    """
    if abi or sys.platform != "linux":
        yield
        return
    libc = _libc()
    before = libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_DUMPABLE, before, 0, 0, 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _must(answer: int) -> int:
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def _all_rights(abi: int) -> int:
    """Return the file rights that an ABI knows: 13 at first, then refer, truncate, and device control."""
    return (1 << (16 if abi >= 5 else 15 if abi >= 3 else 14 if abi == 2 else 13)) - 1


def _python() -> Iterator[str]:
    """Yield where this Python and its libraries lie, and not what else stands beside them in the same folder."""
    for prefix in {sys.prefix, sys.base_prefix}:
        yield from (str(Path(prefix) / part) for part in _OF_PYTHON)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there needs no rule
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _OF_FILES
        rule = _PathBeneath(rights, handle)
        _must(_libc().syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(handle)
