"""Ratings releases that Marquee can fetch by name: where, which bytes, under which licence."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from marquee.digest import digest_file
from marquee.errors import SourceError
from marquee.settings import REPOSITORY, Settings


@dataclass(frozen=True)
class Release:
    """One release: its address, the sha256 of its files, its terms in a sentence."""

    url: str
    files: Mapping[str, str]
    licence: str


RELEASES = {
    "ml-latest-small": Release(
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
    """The folder of a fetched release; fetches it, checks it and unpacks it the first time."""
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


def _download(release: Release, archive: Path) -> None:
    try:
        with (
            httpx.stream("GET", release.url, timeout=60, follow_redirects=True) as answer,
            archive.open("wb") as out,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                out.write(chunk)
    except httpx.HTTPError as error:
        archive.unlink(missing_ok=True)
        raise SourceError(
            f"could not fetch {release.url}: {error}",
            "download it yourself, unpack it, and give its folder: make run DATA=<folder>",
        ) from None


def _check(release: Release, folder: Path) -> None:
    """The files are pinned, not the archive: packing again changes its bytes, not theirs."""
    for name, sha256 in release.files.items():
        path = folder / name
        found = digest_file(path) if path.is_file() else "nothing"
        if found != sha256:
            raise SourceError(
                f"{name} of {release.url} has sha256 {found[:12]}…, not {sha256[:12]}…",
                "the release changed or the download broke; give a folder of your own",
            )
