"""The gate of a run as its step runs it: the verdict first, then its page."""

from __future__ import annotations

from marquee.artefacts.verdict import Verdict
from marquee.lake import Lake
from marquee.policy import Model
from release import judge as gate
from report.model_page import write_page


def judge(lake: Lake, model: Model, run: str) -> Verdict:
    """Judge the run and leave both documents."""
    verdict = gate.judge(lake, model, run)
    write_page(lake, verdict)
    return verdict
