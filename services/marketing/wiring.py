"""The one place where the objects of marketing meet."""

from __future__ import annotations

from pathlib import Path

from services.marketing.app import create_app
from services.marketing.leads.consumers import HANDLERS as ANSWERS
from services.marketing.leads.use_cases import COOLING, SILENCE
from services.marketing.processes.capture_lead import JUDGE
from services.marketing.processes.judge_lead import JudgeLead
from services.marketing.processes.lead_handover import end_silence
from services.marketing.processes.score_lead import cool_lead
from shared.access.consumers import HANDLERS as PEOPLE
from shared.company.consumers import HANDLERS as COMPANY
from shared.messaging.consumers import Consumers
from shared.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="marketing",
    create_app=create_app,
    migrations=Path(__file__).parent / "migrations",
    consumers=Consumers.of([*PEOPLE, *COMPANY, *ANSWERS]),
    timers={SILENCE: end_silence, COOLING: cool_lead},
    commands=lambda runtime: {JUDGE: JudgeLead(runtime)},
)
