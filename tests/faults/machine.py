"""What only some machines let a test do: mount a small disk, show a process another time."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.lab import NotHere

__all__ = ["filled_later", "shifted_clock", "small_disk"]


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of that size in `folder`, in memory. Raises NotHere."""
    folder.mkdir()
    made = _try("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0711", "none", str(folder))
    if made is not None:
        raise NotHere(f"a file system cannot be mounted here: {made}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def filled_later(disk: Path) -> Iterator[Callable[[], None]]:
    """Gives a function that fills `disk` to the last byte; when the block ends there is room again."""
    filler = disk / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4_096))

    try:
        yield fill
    finally:
        filler.unlink(missing_ok=True)


def shifted_clock(shift: str) -> dict[str, str]:
    """The environment in which a process sees a time shifted by, for example, "+1h". Raises NotHere."""
    program = shutil.which("faketime")
    if program is None:
        raise NotHere("there is no program faketime (Debian package faketime)")
    # The program would stay as the parent of what it starts; only the library that it names is wanted.
    shown = subprocess.run([program, "-m", "-f", shift, "env"], capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
    # A clock that somebody has set wrong does not change how long a second is.
    steady = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {name: variables[name] for name in ("LD_PRELOAD", "FAKETIME")} | steady


def _try(*command: str) -> str | None:
    """What a command has to say about why it failed; None when it has not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return (
        None if done.returncode == 0 else done.stderr.strip() or f"{command[0]} ended with {done.returncode}"
    )
