"""Run a command under the system calls and the memory rule that the unit allows.

    python tests/integration/sandbox.py systemd/ingestd.service COMMAND…

systemd itself is not needed: the unit's SystemCallFilter= lines are expanded by
`systemd-analyze syscall-filter` and made a seccomp filter as systemd makes one (what is not
allowed fails with EPERM); NoNewPrivileges= and MemoryDenyWriteExecute= are set by prctl.
"""

import ctypes
import errno
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

HEADERS = (
    Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Path("/usr/include/asm/unistd_64.h"),
)
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE = 22, 38, 65
_SECCOMP_MODE_FILTER, _PR_MDWE_REFUSE_EXEC_GAIN = 2, 1
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06


def missing() -> str | None:
    """Say what this machine lacks to build the filter, if anything."""
    if platform.machine() != "x86_64":
        return "the filter is built for x86_64 only"
    if not any(header.exists() for header in HEADERS):
        return "the numbers of the system calls are not installed: apt-get install linux-libc-dev"
    if shutil.which("systemd-analyze") is None:
        return "systemd-analyze is not installed: apt-get install systemd"
    return None


def setting(unit: str, name: str) -> list[str]:
    """Give every value of ``name=`` in a unit's text, in order."""
    return re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)


def allowed(unit: str) -> set[str]:
    """Give the system calls that a unit's SystemCallFilter= lines leave, by name."""
    calls: set[str] = set()
    for line in setting(unit, "SystemCallFilter"):
        named = set().union(*(_expand(word) for word in line.removeprefix("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def _expand(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in listed.stdout.splitlines()[1:]]
    return set().union(*(_expand(w) for w in words if w and not w.startswith("#")))


def numbers() -> dict[str, int]:
    header = next(header for header in HEADERS if header.exists())
    found = re.findall(r"^#define __NR_(\w+) (\d+)$", header.read_text(), re.MULTILINE)
    return {name: int(number) for name, number in found}


def confine(unit: str) -> None:
    """Put this process, and what it becomes, under the unit's rules."""
    known = numbers()
    program = [struct.pack("HBBI", _LOAD, 0, 0, 0)]
    for number in sorted(known[call] for call in allowed(unit) if call in known):
        program.append(struct.pack("HBBI", _JUMP_IF_EQUAL, 0, 1, number))
        program.append(struct.pack("HBBI", _RETURN, 0, 0, _ALLOW))
    program.append(struct.pack("HBBI", _RETURN, 0, 0, _ERRNO | errno.EPERM))
    code = ctypes.create_string_buffer(b"".join(program))
    head = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0)
    _prctl(_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN, 0)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(head))


def _prctl(option: int, second: int, third: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    last = third or zero
    if libc.prctl(option, ctypes.c_ulong(second), last, zero, zero):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


if __name__ == "__main__":
    confine(Path(sys.argv[1]).read_text())
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  the command is the caller's
