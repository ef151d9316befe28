"""Does the database answer as the API does? A seeded sample of the current generation says so.

Each document holds its question (`asked`), so the check asks the API the same. Text and whole
numbers must be equal, other numbers to TOLERANCE, relative or absolute.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from documents.couch import Couch, Document
from documents.generation import KINDS
from documents.pointer import read_about, read_pointer
from marquee.addresses import check_page, shown
from marquee.errors import AwayError, NotFoundError, SourceError
from serving.questions import QUESTIONS

API_TOKEN = "MARQUEE_API_TOKEN"
"""The token that the check shows to an API beyond loopback."""
TOLERANCE = 1e-6
LONGEST_SHOWN = 120


def differences(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """A line for each place where two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            place = f"{at}.{key}" if at else str(key)
            if key in one and key in other:
                yield from differences(one[key], other[key], place)
            else:
                yield f"{place}: {'only here' if key in one else 'missing'}"
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for row, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{at}[{row}]")
    elif not _equal(one, other):
        yield f"{at}: {_short(one)} here, {_short(other)} there"


def _equal(one: Any, other: Any) -> bool:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (one, other))
    if not numbers or (isinstance(one, int) and isinstance(other, int)):
        return type(one) is type(other) and bool(one == other)
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


@dataclass(frozen=True)
class Checked:
    """The result of a check."""

    generation: str
    documents: int
    differences: tuple[str, ...]
    """One line a difference, each beginning with the document's id."""


def check(couch: Couch, api: httpx.Client, each: int, seed: int) -> Checked:
    """Compare `each` documents of each kind with the API's answers.

    Raises NotFoundError where nothing is published, AwayError where the API does not answer, and
    SourceError where it refuses.
    """
    pointer = read_pointer(couch) if couch.exists() else None
    if pointer is None:
        raise NotFoundError(
            f"{couch.where} has no document 'current'", "`marquee documents publish` writes it"
        )
    generation = str(pointer["generation"])
    found: list[str] = []
    sampled, there = sample(couch, generation, each, seed)
    counts = (read_about(couch, generation) or {}).get("counts") or {}
    if (whole := sum(counts.values())) != there:
        found.append(
            f"{couch.where} holds {there:,} documents of {generation}, which has {whole:,}"
        )
    other_bundles: set[str] = set()
    for document in sampled:
        if not (
            isinstance(document.get("answer"), dict) and isinstance(document.get("asked"), dict)
        ):
            found.append(f"{document['_id']}: it was changed by somebody else")
            continue
        theirs = answer_of(api, document)
        if "refused" in theirs:
            found.append(f"{document['_id']}: the API answers {theirs['refused']}")
            continue
        bundle, served = document["answer"].get("bundle"), theirs.get("bundle")
        if bundle != served:  # a promotion that is not published yet, or not served yet
            other_bundles.add(f"documents are of bundle {bundle}, the API serves {served}")
            continue
        lines = differences(document["answer"], theirs)
        found += [f"{document['_id']}: {line}" for line in lines]
    return Checked(generation, len(sampled), (*sorted(other_bundles), *found))


def sample(couch: Couch, generation: str, each: int, seed: int) -> tuple[list[Document], int]:
    """`each` documents of each kind, the same for the same seed; all where there are fewer.

    Beside them, how many documents the generation has in the database.
    """
    chosen: dict[str, list[str]] = {}
    seen: dict[str, int] = {}
    generator = random.Random(seed)
    for page in couch.rows(generation):
        for name, _ in page:  # by id, so a kind is together (reservoir sampling)
            kind = name.split(":")[1]
            kept, seen[kind] = chosen.setdefault(kind, []), seen.get(kind, 0) + 1
            if len(kept) < each:
                kept.append(name)
            elif (place := generator.randrange(seen[kind])) < each:
                kept[place] = name
    names = [name for kept in chosen.values() for name in kept]
    there = couch.several(names) if names else {}
    return [there[name] for name in names if name in there], sum(seen.values())


def answer_of(api: httpx.Client, document: Document) -> Document:
    """The API's answer to the question of a document."""
    kind = document["_id"].split(":")[1]
    method, path, rest = QUESTIONS[KINDS[kind]].over_http(document["asked"])
    where, is_post = shown(str(api.base_url)), method == "POST"
    try:
        found = api.request(
            method, path, json=rest if is_post else None, params=None if is_post else rest
        )
    except httpx.TransportError as error:
        raise AwayError(
            f"the API at {where} does not answer ({type(error).__name__})",
            "start it, or give --api",
        ) from None
    if found.status_code >= 500:
        raise AwayError(f"the API at {where} answers {found.status_code} to {path}", "try again")
    if found.status_code == 401:
        raise SourceError(f"the API at {where} asks for a token", f"set {API_TOKEN}")
    try:
        value: Any = found.json()
    except ValueError:
        value = None
    if not isinstance(value, dict) or (found.status_code != 200 and "title" not in value):
        raise SourceError(
            f"{where} answers {found.status_code} to {path}, and not as Marquee's API does",
            "give the API's address: --api http://host:port",
        )
    if found.status_code != 200:
        return {"bundle": None, "refused": f"{found.status_code} {value.get('detail', '')}"}
    return value


def api_address(address: str) -> str:
    """The API's address as given; SourceError where it is none, or holds a login."""
    try:
        check_page(address)
    except ValueError as error:
        remedy = f"give --api http://host:port; {API_TOKEN} holds the token"
        raise SourceError(f"the API's address {error}", remedy) from None
    return address


def print_check(couch: Couch, address: str, each: int, seed: int) -> int:
    """Print a line for each difference, and a last line; returns 1 where there is any."""
    token = os.environ.get(API_TOKEN)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False) as api:
        found = check(couch, api, each, seed)
    for line in found.differences:
        print(line, flush=True)
    ends = f"{len(found.differences)} differences" if found.differences else "as the API answers"
    print(f"{found.documents} documents of {found.generation}: {ends}", flush=True)
    return 1 if found.differences or not found.documents else 0
