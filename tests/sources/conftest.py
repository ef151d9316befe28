"""What tests of sources share."""

from __future__ import annotations

from pathlib import Path

import pytest

from marquee.lake import Lake, open_lake
from tests.sources.small_files import BASICS, tsv

FILES = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,10,4.0,1000\n2,10,3.5,3000\n1,20,bad,2000\n",
    "movies.csv": "movieId,title,genres\n10,A Film (1999),Drama\n20,Another (2001),Comedy\n",
    "links.csv": "movieId,imdbId,tmdbId\n10,0123456,1\n20,7654321,2\n",
}


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    folder = tmp_path / "imdb"
    rows = [
        f'tt{n:07d}\tmovie\tA "{n}\tUn «{n}»\t0\t{1990 + n % 30}\t\\N\t{90 + n}\tDrama,Sci-Fi\n'
        for n in range(1, 40)
    ]
    tsv(folder, "title.basics", BASICS + "".join(rows) + "tt9999999\tshort\tX\tX\t0" + "\t\\N" * 4)
    tsv(folder, "title.ratings", "tconst\taverageRating\tnumVotes\ntt0000001\t8.1\t1200\n")
    crew = "tconst\tdirectors\twriters\ntt0000001\tnm0000001,nm0000002\t\\N\ntt0000002\t\\N\t\\N\n"
    tsv(folder, "title.crew", crew)
    names = "nconst\tprimaryName\nnm0000001\tAda\nnm0000002\tBo\nnm0000003\tCy\n"
    tsv(folder, "name.basics", names)
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def folder_lake(tmp_path: Path) -> Lake:
    return open_lake(f"file://{tmp_path}/lake")
