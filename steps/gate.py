"""gate: the verdict, written once, with its reasons and a page to read."""

from __future__ import annotations

from marquee.artefacts.verdict import Verdict
from marquee.policy import Model
from release.judge import judge
from steps.run import Run


def gate(run: Run, model: Model) -> Verdict:
    """Judge the run's challenger; a refusal is a value, not an error."""
    verdict = judge(run.lake, model, run.id)
    for sentence in verdict.sentences():
        print(sentence, flush=True)
    print(f"report: {run.lake.uri(run.path(f'models/{model}/report.html'))}", flush=True)
    return verdict
