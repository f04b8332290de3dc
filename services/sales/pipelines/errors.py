"""Refusals of the pipelines slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = ["NoActivePipeline", "StageKeysClash"]


class NoActivePipeline(Conflict):
    """There is no published pipeline to put a deal in."""

    problem = "no-active-pipeline"
    title = "There is no active pipeline"


class StageKeysClash(Invalid):
    """Stage keys must be unique, and `won` and `lost` are always there."""

    problem = "stage-keys-clash"
    title = "The stages' keys clash"
