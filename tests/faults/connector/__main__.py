"""1,000 orders through the connector to an ERP that fails in every way and is away for a minute:

python -m tests.faults.connector           # ten minutes at most
python -m tests.faults.connector --seed 7
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest


def main() -> int:
    """Run the full size of the test beside this module; its exit status."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seed", default="20260302", help="draws orders, failures and their order")
    os.environ |= {"CONNECTOR_SIZE": "full", "CONNECTOR_SEED": arguments.parse_args().seed}
    return pytest.main(["-s", str(Path(__file__).parent)])


if __name__ == "__main__":
    sys.exit(main())
