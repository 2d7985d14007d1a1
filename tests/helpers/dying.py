"""A process that dies before its K-th change of a file, played within this one.

After its death it can change nothing more, so that no `finally` tidies up behind it.
"""

import builtins
import contextlib
import fcntl
import io
import os
from collections.abc import Iterator

import pytest

from jaximpute.files import _rename

# what changes names, permissions or contents; `fsync` stands for what was written before it
CHANGES = ("mkdir", "rmdir", "unlink", "remove", "rename", "replace", "chmod", "fsync")


class Death(BaseException):
    """Nothing catches it."""


@contextlib.contextmanager
def dying(patch: pytest.MonkeyPatch, at: int | None) -> Iterator[list[str]]:
    """Die before a change of a file.

    Args:
        patch: of the test.
        at: the number of the change; None lives on.

    Yields:
        The changes so far.
    """
    seen: list[str] = []

    def count(what: str) -> None:
        if at is not None and len(seen) >= at:
            raise Death
        seen.append(what)

    def counted(what, function):
        def call(*arguments, **keywords):
            count(f"{what} {arguments[:2]}")
            return function(*arguments, **keywords)

        return call

    def opened(function):
        def call(file, mode="r", *arguments, **keywords):
            if any(letter in mode for letter in "wxa+"):
                count(f"open {file}")
            return function(file, mode, *arguments, **keywords)

        return call

    def flagged(source, target, flag):
        count(f"renameat2 {source} {target} {flag}")
        return system(source, target, flag)

    system = _rename._system_call()
    with patch.context() as patched:
        for name in CHANGES:
            patched.setattr(os, name, counted(name, getattr(os, name)))
        for module in (io, builtins):
            patched.setattr(module, "open", opened(module.open))
        if system is not None:
            patched.setattr(_rename, "_system_call", lambda: flagged)
        flock, locks = fcntl.flock, []
        patched.setattr(fcntl, "flock", lambda *held: (flock(*held), locks.append(held[0]))[0])
        try:
            with contextlib.suppress(Death):
                yield seen
        finally:
            for lock in locks:  # a process that dies holds nothing
                with contextlib.suppress(OSError):
                    flock(lock, fcntl.LOCK_UN)
