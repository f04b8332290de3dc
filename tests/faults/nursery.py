"""Where processes come from: one process that has imported everything and forks.

Each is a process of its own with its own environment, started within milliseconds. It is asked for over standard input
by a line of JSON; the answer is its id. When the asker is gone, all of them end. They are the ledger's, or those of the
suite's services that the arguments name.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from deploy.local import children
from shared.cli import main as run
from tests.faults.ledger import SERVICES


def _ledger(service: str, arguments: list[str]) -> int:
    try:
        run(SERVICES[service], arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def main() -> None:
    services = sys.argv[1:]
    work = children.run_command if services else _ledger
    children.preload(services)
    # Nobody waits for the children here, and none may linger as a zombie.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        service, role = asked["service"], asked["role"]
        pid = children.fork(
            f"{service}-{role}",
            lambda service=service, role=role: work(service, [role]),
            environment=asked["environment"],
            log=Path(asked["log"]),
        )
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
