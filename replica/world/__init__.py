"""The synthetic world: people with tastes, titles with budgets, ratings over years.

Seeded and deterministic: the same seed gives the same bytes. Nothing that trains or scores reads
this package; what it knows (the noise floor, the oracle's error) goes into `world.json` only.
"""

from replica.world.faults import FAULTS, Fault
from replica.world.make import make_world

__all__ = ["FAULTS", "Fault", "faults", "make_world"]
