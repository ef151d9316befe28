"""What a run left in the lake, as digests: `python -m tests.drill.cluster.contents RUN`.

It runs on a host that has the product and prints JSON: `digests` by path, `promotions` by model,
and the number of `ratings`. Rows of datasets are compared without order, for executors write them
in any; documents without the moments, seconds and megabytes in them, for these are the attempt's
own. All else is compared byte by byte.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from marquee.identifiers import canonical_json
from marquee.lake import Lake, open_lake
from marquee.policy import MODELS
from marquee.settings import load_settings
from release.ledger import Ledger

DATASETS = ("prepared/ratings", "prepared/titles", "split")
DOCUMENTS = ("data", "models")
OF_THE_ATTEMPT = re.compile(
    r"(_at|^at|^as_of|^run|^fingerprint|^bundle_digest|seconds|started|finished|duration|timestamp|^work|_mb|megabytes)$"
)
"""Keys of documents whose values are an attempt's own: both digests count the run's name, or what
Spark named at random. The bundle itself is compared."""
SKIPPED = re.compile(r"(^|/)(_manifest\.json|spark/|\.|_SUCCESS|report\.html)")
"""Manifests repeat digests; what Spark saved has random names, and its bundle is compared."""


def main() -> int:
    """Print the digests of one run; the exit status."""
    settings = load_settings()
    lake = open_lake(settings.lake.root, settings.lake.webhdfs, settings.lake.user, drill=True)
    run = sys.argv[1]
    promotions = {model: len(Ledger(lake, model).entries()) for model in MODELS}
    digests = dict(sorted(digests_of(lake, f"runs/{run}")))
    ratings = lake.read_json(f"runs/{run}/data/ratings.json")["rows"]
    print(json.dumps({"digests": digests, "promotions": promotions, "ratings": ratings}))
    return 0


def digests_of(lake: Lake, root: str) -> Iterator[tuple[str, str]]:
    """`(path below the run, digest)` of all that is compared."""
    for dataset in DATASETS:
        for folder, files in _folders(lake, f"{root}/{dataset}"):
            if files := [name for name in files if name.endswith(".parquet")]:
                rows = [row for name in files for row in _rows(lake.read_bytes(name))]
                yield folder.removeprefix(f"{root}/"), _sha(b"\n".join(sorted(rows)))
    for part in DOCUMENTS:
        for _, files in _folders(lake, f"{root}/{part}"):
            for path in files:
                name = path.removeprefix(f"{root}/")
                if not SKIPPED.search(name):
                    yield name, _sha(_timeless(name, lake.read_bytes(path)))


def _folders(lake: Lake, path: str) -> Iterator[tuple[str, list[str]]]:
    """Every folder below `path`, itself included, with the paths of its files."""
    children = lake.list_status(path)
    yield path, [f"{path}/{child.name}" for child in children if not child.is_folder]
    for child in children:
        if child.is_folder:
            yield from _folders(lake, f"{path}/{child.name}")


def _rows(data: bytes) -> list[bytes]:
    """The rows of a Parquet file, as canonical JSON."""
    return [canonical_json(row) for row in pq.read_table(io.BytesIO(data)).to_pylist()]


def _timeless(name: str, data: bytes) -> bytes:
    if name.endswith(".json"):
        return canonical_json(_without_times(json.loads(data)))
    return data


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not OF_THE_ATTEMPT.search(k)}
        return {key: _without_times(inner) for key, inner in kept.items()}
    if isinstance(value, list):
        return [_without_times(inner) for inner in value]
    return value


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
