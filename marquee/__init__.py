"""Marquee's kernel: what every room may import, and what imports no engine."""

__version__ = "0.1.0"
