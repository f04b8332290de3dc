"""Asks the service of this container whether it is ready; ends with 0 if it says so.

Knows the process by the last word of its command line, `web` or `bus`. The standard library alone: it runs every few
seconds in every container.
"""

from __future__ import annotations

import http.client
import os
import sys
from pathlib import Path

PORTS = {"web": ("CRM_PORT", 8000), "bus": ("CRM_HEALTH_PORT", 9000)}


def main(command_line: Path = Path("/proc/1/cmdline")) -> int:
    """0, or 1 with one line that says why not."""
    role = command_line.read_bytes().rstrip(b"\0").rpartition(b"\0")[2].decode()
    name, default = PORTS[role]
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get(name) or default), timeout=4)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        said = answer.read(500).decode(errors="replace")
    except OSError as error:
        answer, said = None, str(error)
    finally:
        connection.close()
    sys.stdout.write(f"{said}\n")
    return 0 if answer is not None and answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
