"""A made-up ratings release of any size: four tastes, people and titles by power laws."""

from __future__ import annotations

from pathlib import Path

import numpy as np

PEOPLE, TITLES, FULL = 100_000, 20_000, 10_000_000
CHUNK = 1_000_000


def write_release(folder: Path, rows: int, seed: int) -> None:
    """Made-up `ratings.csv` and `movies.csv`, a chunk of rows at a time."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    share = min(1.0, max(rows / FULL, 0.01))
    people, titles = int(PEOPLE * share), int(TITLES * share**0.5)
    person, title = power_law(people, 0.6), power_law(titles, 0.8)
    taste, lean = rng.normal(0, 0.4, (people, 4)), rng.normal(0, 0.4, (titles, 4))
    with (folder / "ratings.csv").open("wb") as out:
        out.write(b"userId,movieId,rating,timestamp\n")
        for start in range(0, rows, CHUNK):
            n = min(CHUNK, rows - start)
            users, items = (np.searchsorted(p, rng.random(n)) for p in (person, title))
            stars = 3.5 + np.einsum("nk,nk->n", taste[users], lean[items]) + rng.normal(0, 0.8, n)
            stars = (np.round(2 * stars) / 2).clip(0.5, 5.0)
            times = 1_000_000_000 + start + np.arange(n)
            lines = zip(users + 1, items + 1, stars, times)
            out.write("".join(f"{u},{m},{r},{t}\n" for u, m, r, t in lines).encode())
    names = "".join(f"{m},Film {m} ({1950 + m % 70}),Drama\n" for m in range(1, titles + 1))
    (folder / "movies.csv").write_text("movieId,title,genres\n" + names)


def power_law(n: int, exponent: float) -> np.ndarray:
    """The distribution function of `n` places; weights fall as a power after the first 2 %."""
    weights = (np.arange(1, n + 1) + 0.02 * n) ** -exponent
    total: np.ndarray = np.cumsum(weights)
    return total / total[-1]
