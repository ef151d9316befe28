"""gate: the verdict, written once, with its reasons and a page to read."""

from __future__ import annotations

from marquee.release.judge import judge
from marquee.release.verdict import Verdict
from marquee.steps.run import Model, Run


def gate(run: Run, model: Model) -> Verdict:
    """Judge the run's challenger; a refusal is a value, not an error."""
    verdict = judge(run.lake, model, run.id)
    for sentence in verdict.sentences():
        print(sentence, flush=True)
    print(f"report: {run.lake.uri(run.path(f'models/{model}/report.html'))}", flush=True)
    return verdict
