"""`record.jsonl`: what a budget model erred by on each film of its holdout.

    {"unit": title id, "holdout": 12 hex, "cluster": first director's key, "error": log10,
     "error_before_release": log10}

It is kept with a promoted bundle, so that the same recipe under other code is compared with what
the champion did and not with what today's code makes of its recipe. `holdout` is a digest of what
is asked (directors, genres, year, rating) and of the answer in dollars of the release year: a film
whose budget or rating was corrected is another film.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marquee.digest import digest_value
from marquee.errors import BundleError
from marquee.scoring.arrays import Floats
from marquee.scoring.budget.clusters import Clusters, cluster_key, compare
from marquee.scoring.budget.exam import query_of
from marquee.scoring.budget.records import Film

REMEDY = "roll back to a bundle whose record is whole, or promote a newer one"
DIGITS = 9
"""Of the dollars that enter the digest: a conversion's last bits mean nothing."""
HEX = 12
MOST = 1e100  # of an error: sums of a hundred million of their squares stay finite
Text = Annotated[str, Field(min_length=1)]
Error = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]


class FilmError(BaseModel):
    """One line: errors are log10 of actual over estimate, asked with the film's rating and before
    release. Early records lack the second. Keys that a later version adds are ignored."""

    model_config = ConfigDict(frozen=True, strict=True)

    unit: Text
    holdout: Annotated[str, Field(min_length=HEX, max_length=HEX)]
    cluster: Text
    error: Error
    error_before_release: Error | None = None


def make_record(
    films: Sequence[Film], dollars: Mapping[str, float], errors: Floats, before: Floats
) -> list[FilmError]:
    """A line a film, in order of title id; `dollars` of the release year by title id, `errors` and
    `before` [films] with rating and before release."""
    lines = [
        FilmError(
            unit=film.title_id,
            holdout=_digest(film, dollars[film.title_id]),
            cluster=cluster_key(film.directors, film.title_id),
            error=float(error),
            error_before_release=float(unrated),
        )
        for film, error, unrated in zip(films, errors, before, strict=True)
    ]
    return sorted(lines, key=lambda line: line.unit)


def write_record(path: Path, record: Sequence[FilmError]) -> Path:
    """One JSON object a line."""
    path.write_text("".join(f"{line.model_dump_json()}\n" for line in record), "utf-8")
    return path


def read_record(path: Path) -> list[FilmError]:
    """BundleError where the file cannot be read, is empty, or holds a line that is no film's."""
    try:
        lines = path.read_text("utf-8").removesuffix("\n").split("\n")
        record = [FilmError.model_validate_json(line) for line in lines]
    except (OSError, UnicodeError, ValidationError) as error:
        raise BundleError(f"{path} is not a record of films: {_told(error)}", REMEDY) from None
    if len({line.unit for line in record}) < len(record):
        raise BundleError(f"{path} holds a film twice", REMEDY)
    return record


def compare_with_record(
    ours: Sequence[FilmError], record: Path | None, seed: int
) -> dict[str, Any] | None:
    """`versus.record`: the COMPARISON with the champion as recorded, on the films whose `holdout`
    is the same; None where the champion left no record.

    `{"matched", "units", "log_rmse": COMPARISON, "log_rmse_before_release": COMPARISON}`, each null
    where no film tells both sides: `units` are the directors of our films, `matched` those with a
    film that is compared, for directors are what is resampled. Raises BundleError where the record
    is damaged.
    """
    if record is None or not record.exists():
        return None
    theirs = {(line.unit, line.holdout): line for line in read_record(record)}
    asked = [(line, theirs.get((line.unit, line.holdout))) for line in ours]
    pairs = [(line, other) for line, other in asked if other is not None]
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


def _told(error: Exception) -> str:
    """Where and what, in a line: pydantic's own words are many, and quote the whole input."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'a line'}: {first['msg']}"
