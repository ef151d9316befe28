"""Titles of our own invention, in the form a world folder has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GENRES = ("Drama", "Comedy", "Sci-Fi", "Western", "Documentary", "Romance", "War")
MONEY = ("USD", "EUR", "JPY", "GBP", "INR")
COUNTRIES = ("US", "FR", "JP", "GB", "IN")


def title_id(number: int) -> str:
    return f"tt{1_000_000 + number:07d}"


def made_up(number: int) -> dict[str, Any]:
    """One title; every third has no budget, every fifth an original title of its own."""
    of = number % len(MONEY)
    return {
        "title_id": title_id(number),
        "title": f'The Lamp & the "Sea" <{number}>',
        "original_title": f"La lampe n° {number}" if number % 5 == 0 else "",
        "type": "tvMovie" if number % 7 == 0 else "movie",
        "year": 1950 + number % 70,
        "release_date": f"{1950 + number % 70}-0{1 + number % 9}-1{number % 10}",
        "runtime": 80 + number % 60,
        "directors": [
            {"name_id": f"nm{5_000_000 + number + i:07d}", "name": f"Ada Müller {number + i}"}
            for i in range(1 + number % 2)
        ],
        "writers": [{"name_id": f"nm{6_000_000 + number:07d}", "name": f"Bo O'Neil {number}"}],
        "cast": [
            {"name_id": f"nm{7_000_000 + number * 9 + i:07d}", "name": f"Player {number}-{i}"}
            for i in range(4)
        ],
        "genres": sorted({GENRES[number % 7], GENRES[(number + 3) % 7], GENRES[(number * 2) % 7]}),
        "rating": 1.0 + (number * 7) % 90 / 10,
        "vote_count": 10 + number * 1_237,
        "budget": None
        if number % 3 == 0
        else {"amount": 1_000 * (1 + number * 17), "currency": MONEY[of]},
        "gross": {"amount": 1_000_000 + number, "currency": "USD"},
        "countries": [COUNTRIES[of]],
        "languages": ["en", "fr"],
        "certificate": "PG-13",
        "companies": ["Paper Boat Pictures", "Über & Söhne"],
        "plot": f"A lamp, a sea, and {number} reasons to go home.",
        "keywords": ["lamp", "sea voyage"],
    }


def write_world(folder: Path, count: int) -> Path:
    """A world folder with `count` titles (only what the site reads)."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(made_up(number), ensure_ascii=False) for number in range(count)]
    (folder / "titles.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_links(path: Path, count: int) -> Path:
    """A crawl's list of the first `count` titles, the first the most rated."""
    rows = [f"{title_id(number)},{count - number}" for number in range(count)]
    path.write_text("title_id,rated_count\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path
