"""Become another program that dies with the process that started it, even when that one is killed with -9.

A script of the standard library alone: `python -I -S leash.py SIGNAL OWNER PROGRAM [ARGUMENT…]`. It asks the
kernel (Linux only) for SIGNAL on the owner's death and then replaces itself, so the process id stays.
The kernel watches the *thread* that started us: start from one that lives as long as the program should.
Deliberately no supervision: who wants to know how the program fares waits for it.
"""

import ctypes
import os
import signal
import sys

#: prctl(2): the signal to send this process when its parent dies.
PR_SET_PDEATHSIG = 1
#: Exit code of a shell for a command that cannot be run.
CANNOT_RUN = 127


def leashed(program: list[str], *, death_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """Return the command line that runs `program` tied to the calling process."""
    return [sys.executable, "-I", "-S", __file__, death_signal.name, str(os.getpid()), *program]


def tie(death_signal: signal.Signals) -> None:
    """Ask the kernel to signal this process when its parent dies; without effect off Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)


def main(arguments: list[str]) -> int:
    """Tie, check that the owner did not die meanwhile, and become the program."""
    death_signal, owner, program = signal.Signals[arguments[0]], int(arguments[1]), arguments[2:]
    tie(death_signal)
    if os.getppid() != owner:
        return CANNOT_RUN
    try:
        os.execvp(program[0], program)  # noqa: S606  (becoming the program is the purpose)
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        return CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
