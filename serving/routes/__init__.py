"""The routes, one module a subject."""

__all__ = [
    "budget",
    "context",
    "health",
    "models",
    "people",
    "predictions",
    "recommendations",
    "reports",
    "titles",
]
