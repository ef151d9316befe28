"""Fetch a known ratings release, and load any release into the lake in one form.

`raw/ratings/<name>-<sha12>` holds two files of UTF-8, tabs and no quotes, each with a header:

    ratings.tsv   userId movieId rating timestamp     ids in one spelling, times in UTC seconds
    titles.tsv    movieId title genres titleId        one row a movie, one movie an IMDb id

Later steps read only these files. The folder is named by a digest of the source's bytes, the
reader's version and the scale: with another version or scale the same release is loaded again.
"""

from __future__ import annotations

import csv
import gzip
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.clock import iso, now
from marquee.errors import SourceError
from marquee.host_needs import DataSize
from marquee.identifiers import digest_file, digest_value
from marquee.lake import Lake
from marquee.lake.manifest import Manifest
from marquee.settings import REPOSITORY, Settings
from sources.ratings_forms import (
    LISTED_COLUMNS,
    RATINGS_FILE,
    TITLES_FILE,
    RatingsFolder,
    Row,
    read_listed_titles,
    recognise,
)
from sources.ratings_reading import (
    ANY_SCALE,
    Census,
    ReleaseContent,
    Scale,
    read_release,
)

READER_VERSION = 2
"""Version of the lake's form of a release. Raise it with every change of the form."""


def take_census(folder: Path, scale: Scale = ANY_SCALE) -> Census:
    """Read all rows of a release and return its numbers; SourceError for an unusable release."""
    return read_release(recognise(folder), scale).census


def load_release(
    lake: Lake, folder: Path, name: str, scale: Scale = ANY_SCALE
) -> tuple[str, Manifest]:
    """Publish a release as `raw/ratings/<name>-<sha12>`; a second load changes nothing.

    The manifest's facts are `last_time`, `loaded_at`, `linked` (the number of titles with an IMDb
    id), `form`, `text_ids` (where any are), `reader`, `scale`, and `notes` for a person. Raises
    SourceError where no row is a rating, with counts and three examples for each reason.
    """
    release = recognise(folder)
    path = f"raw/ratings/{name}-{source_digest(release, scale)[:12]}"
    if lake.exists(path):
        return path, lake.manifest(path)
    with tempfile.TemporaryDirectory(prefix="marquee-ratings-") as scratch:
        found = read_release(release, scale, Path(scratch) / RATINGS_FILE)
        _write(Path(scratch) / TITLES_FILE, LISTED_COLUMNS, found.listed.rows())
        census = found.census
        facts = {"last_time": census.last_time, "loaded_at": iso(now())}
        facts |= {"linked": len(found.listed.links), "form": release.form.name}
        facts |= {"text_ids": list(census.text_ids)} if census.text_ids else {}
        facts |= {"reader": READER_VERSION, "scale": _finite(scale), "notes": found.notes()}
        return path, lake.publish(Path(scratch), path, rows=census.rows, **facts)


def source_digest(release: RatingsFolder, scale: Scale = ANY_SCALE) -> str:
    """The digest of the release's own bytes, the reader's version and the scale."""
    files = {name: digest_file(path) for name, path in release.files.items()}
    bounds = [] if scale == ANY_SCALE else [_finite(scale)]
    return digest_value([READER_VERSION, files, *bounds])


def _finite(scale: Scale) -> list[float] | None:
    return None if scale == ANY_SCALE else list(scale)


def _write(path: Path, header: Row, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        out.writelines("\t".join(row) + "\n" for row in (header, *rows))


def write_candidates(folder: Path, target: Path) -> int:
    """Write the titles to crawl as `title_id,rated_count`, the most rated first.

    Returns the number of titles.
    """
    rows: list[tuple[int, str]] = []
    if found := _read_if_linked(folder):
        rated = found.ratings.rated
        rows = [(rated[movie], title) for movie, title in found.listed.links.items()]
    rows.sort(key=lambda row: (-row[0], row[1]))
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("title_id", "rated_count"))
        writer.writerows((title, count) for count, title in rows)
    return len(rows)


def linked_titles(folder: Path) -> dict[str, str]:
    """Movie id of the release to IMDb id, as `load_release` links them."""
    found = _read_if_linked(folder)
    return found.listed.links if found else {}


def _read_if_linked(folder: Path) -> ReleaseContent | None:
    """The release as `load_release` reads it; None where no title has an IMDb id.

    Ratings and titles together decide whether ids are text. So the quick look at the list of titles
    tries both kinds.
    """
    release = recognise(folder)
    if not any(read_listed_titles(release, is_text).links for is_text in (False, True)):
        return None
    return read_release(release)


def size_of_world(settings: Settings) -> DataSize:
    """About how many ratings, people and titles the settings' world has; nothing is read whole.

    Of a release, lines are estimated from the size of its files, and people have the shape of
    MovieLens. A synthetic person rates 59 titles. Raises SourceError for an unusable folder.
    """
    if not settings.ratings.source:
        people, titles = settings.synthetic.people, settings.synthetic.titles
        return DataSize.of(59 * people, people, titles)
    release = recognise(Path(settings.ratings.source))
    files = [release.files[one.file] for one in (release.form.ratings, release.form.titles)]
    ratings, titles = (_about_lines(path) for path in files)
    return DataSize.of(ratings, titles=titles)


def _about_lines(path: Path) -> int:
    """The number of lines, from the first megabyte; a packed file counts as four times as long."""
    is_packed = path.suffix == ".gz"
    with gzip.open(path) if is_packed else path.open("rb") as stream:
        head = stream.read(2**20)
    size = max(path.stat().st_size * (4 if is_packed else 1), len(head))
    return round(head.count(b"\n") * size / max(len(head), 1))


@dataclass(frozen=True)
class KnownRelease:
    """A release that Marquee can fetch: its address, the sha256 of its files, its licence."""

    url: str
    files: Mapping[str, str]
    licence: str


RELEASES = {
    "ml-latest-small": KnownRelease(
        "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip",
        {
            "ratings.csv": "80da8b3393dae325bbba5a31f291a6ba55d8d4f4396de3c456f2c1635b1b70e8",
            "movies.csv": "c47b783f23eb304413307e1bb05335e427737da20ec8d3c0e96335567dd5f3dc",
            "links.csv": "028a4a1d17751ca9276e0e0718cfc22356350f224a996e1ec348c23274b9209d",
        },
        "MovieLens latest-small (GroupLens, University of Minnesota): free for research and other "
        "non-commercial use with acknowledgement; redistribution under the same terms.",
    ),
}


def release_folder(name: str, settings: Settings) -> Path:
    """The local folder of a known release; the first call fetches, unpacks and checks it."""
    folder = (REPOSITORY / settings.state / "releases" / name).resolve()
    if folder.is_dir():
        return folder
    release = RELEASES[name]
    print(f"{release.licence}\nfetching {release.url}", flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    archive = folder.with_suffix(".zip.part")
    _download(release, archive)
    beside = folder.with_name(f".{name}")
    shutil.rmtree(beside, ignore_errors=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(beside)
    _check(release, beside / name)
    (beside / name).rename(folder)
    archive.unlink()
    beside.rmdir()
    return folder


def _download(release: KnownRelease, archive: Path) -> None:
    import httpx  # heavy, and most callers fetch nothing

    try:
        with (
            httpx.stream("GET", release.url, timeout=60, follow_redirects=True) as response,
            archive.open("wb") as out,
        ):
            response.raise_for_status()
            for chunk in response.iter_bytes():
                out.write(chunk)
    except httpx.HTTPError as error:
        archive.unlink(missing_ok=True)
        raise SourceError(
            f"could not fetch {release.url}: {error}",
            "download it yourself, unpack it, and give its folder: make run DATA=<folder>",
        ) from None


def _check(release: KnownRelease, folder: Path) -> None:
    """Compare the digests of the files. The archive's own bytes change with each packing."""
    for name, sha256 in release.files.items():
        path = folder / name
        found = digest_file(path) if path.is_file() else "nothing"
        if found != sha256:
            raise SourceError(
                f"{name} of {release.url} has sha256 {found[:12]}…, not {sha256[:12]}…",
                "the release changed or the download broke; give a folder of your own",
            )
