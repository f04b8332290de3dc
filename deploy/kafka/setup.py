"""Gives a cluster its topics, users and rights: `python -m deploy.kafka.setup FOLDER`.

FOLDER holds a file per service with the service's password. The administrator's login comes from the `CRM_KAFKA_`
settings. Running it again changes nothing but what was declared differently since.
"""

from __future__ import annotations

import sys
from pathlib import Path

from shared.contracts.catalog import Catalog
from shared.messaging import topics
from shared.messaging.kafka_login import KafkaLogin
from shared.messaging.principals import grant
from shared.messaging.transport import BusUnavailable
from shared.settings import KafkaSettings


def main(folder: Path) -> int:
    """0, or 1 with one sentence that says what is wrong."""
    ended = topics.main()
    if ended != 0:
        return ended
    settings = KafkaSettings.from_env("kafka-setup")
    assert settings.kafka_bootstrap is not None, "the topics could not have been made"
    passwords = {file.name: file.read_text().strip() for file in sorted(folder.iterdir())}
    try:
        grant(settings.kafka_bootstrap, KafkaLogin.of(settings), passwords, Catalog.load())
    except BusUnavailable as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(f"users and rights are set for {', '.join(passwords)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
