"""A model's report: one self-contained page, the verdict first, every number beside its rivals.

It shows whatever it is handed: a number that is missing or malformed appears as a dash, a section
with nothing to show is left out.
"""

from report.page import model_report, tell_outcome

__all__ = ["cells", "charts", "comparisons", "model_report", "tell_outcome"]
