"""Marquee's kernel: what every room may import, and what imports no engine."""

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "artefacts",
    "clock",
    "contracts",
    "digest",
    "drill",
    "errors",
    "form",
    "lake",
    "lifetimes",
    "money",
    "names",
    "normalise",
    "policy",
    "progress",
    "psi",
    "schedule",
    "settings",
    "spark_submit",
    "state_folders",
]
