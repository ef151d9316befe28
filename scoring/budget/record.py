"""The budget model's holdout record, one line a film, in order of title id:

    {"unit": title id, "holdout": 12 hex, "cluster": first director's key, "error": log10,
     "error_before_release": log10}

`holdout` is a digest of what is asked (directors, genres, year, rating) and of the answer in
dollars of the release year: a film whose budget or rating was corrected is another film.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from marquee.digest import digest_value
from scoring.arrays import Floats
from scoring.budget.clusters import Clusters, cluster_key, compare
from scoring.budget.exam import query_of
from scoring.budget.records import Film
from scoring.record import HEX, MOST, RecordLine, matched

DIGITS = 9
"""Of the dollars that enter the digest: a conversion's last bits mean nothing."""
Text = Annotated[str, Field(min_length=1)]
Error = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]


class FilmLine(RecordLine):
    """One film: errors are log10 of actual over estimate, asked with the film's rating and before
    release. Early records lack the second."""

    unit: Text
    cluster: Text
    error: Error
    error_before_release: Error | None = None


def make_record(
    films: Sequence[Film], dollars: Mapping[str, float], errors: Floats, before: Floats
) -> list[FilmLine]:
    """A line a film, in order of title id; `dollars` of the release year by title id, `errors` and
    `before` [films] with rating and before release."""
    lines = [
        FilmLine(
            unit=film.title_id,
            holdout=_digest(film, dollars[film.title_id]),
            cluster=cluster_key(film.directors, film.title_id),
            error=float(error),
            error_before_release=float(unrated),
        )
        for film, error, unrated in zip(films, errors, before, strict=True)
    ]
    return sorted(lines, key=lambda line: line.unit)


def compare_with_record(
    ours: Sequence[FilmLine], recorded: Sequence[FilmLine], seed: int
) -> dict[str, Any]:
    """`versus.record`: the COMPARISON with the champion as recorded, on the films whose `holdout`
    is the same.

    `{"matched", "units", "log_rmse": COMPARISON, "log_rmse_before_release": COMPARISON}`, each null
    where no film tells both sides: `units` are the directors of our films, `matched` those with a
    film that is compared, for directors are what is resampled.
    """
    pairs = matched(ours, recorded)
    return {
        "matched": len({line.cluster for line, _ in pairs}),
        "units": len({line.cluster for line in ours}),
        "log_rmse": _compared([(a.cluster, a.error, b.error) for a, b in pairs], seed),
        "log_rmse_before_release": _compared(
            [(a.cluster, a.error_before_release, b.error_before_release) for a, b in pairs], seed
        ),
    }


def _compared(
    films: Sequence[tuple[str, float | None, float | None]], seed: int
) -> dict[str, Any] | None:
    """COMPARISON of the films of which both errors are known."""
    known = [(key, a, b) for key, a, b in films if a is not None and b is not None]
    if not known:
        return None
    keys, ours, theirs = zip(*known, strict=True)
    return compare(Clusters.of_keys(keys), np.array(ours), np.array(theirs), seed)


def _digest(film: Film, dollars: float) -> str:
    query = query_of(film)
    asked = [sorted(film.keys("director")), sorted(set(query.genres)), query.year, query.rating]
    return digest_value([*asked, f"{dollars:.{DIGITS}g}"])[:HEX]
