"""Every engine answers the same questions alike: answers, numbers and errors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from marquee.lake import Lake
from serving.questions import QUESTIONS
from tests.conformance.cases import CASES, Case
from tests.conformance.engines import ENGINES, Reply, World

REFERENCE = next(iter(ENGINES))
Replies = dict[str, Reply]
"""The replies of one engine, by the name of the case."""


@pytest.fixture(scope="module")
def replies_of(
    connect_lake: Lake, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str], Replies]:
    """Ask an engine all its questions at once, the first time that a test wants them."""
    found: dict[str, Replies] = {}

    def ask(name: str) -> Replies:
        if name not in found:
            engine = ENGINES[name]
            cases = [case for case in CASES if engine.answers(case)]
            world = World(connect_lake, tmp_path_factory.mktemp(name), request.getfixturevalue)
            found[name] = {}  # an engine that fails is not opened for each case again
            with engine.open(world) as ask_all:
                replies = ask_all(cases)
            found[name] = {case.name: reply for case, reply in zip(cases, replies, strict=True)}
        return found[name]

    return ask


def engines_and_cases() -> Iterator[Any]:
    for name, engine in ENGINES.items():
        for case in CASES:
            if engine.answers(case):
                yield pytest.param(name, case, id=f"{name}: {case.name}")


@pytest.mark.parametrize(("name", "case"), engines_and_cases())
def test_an_engine_answers_as_the_reference(
    replies_of: Callable[[str], Replies], name: str, case: Case
) -> None:
    wanted, found = replies_of(REFERENCE)[case.name], replies_of(name)[case.name]
    assert (found.status, wanted.status) == (case.status, case.status), found.body
    if case.status != 200 and not ENGINES[name].says_why:
        return
    bodies = (comparable(wanted.body), comparable(found.body))
    assert list(differences(*bodies, ENGINES[name].tolerance)) == []


def test_every_question_is_asked_rightly_and_wrongly() -> None:
    right = {case.question for case in CASES if case.status == 200}
    wrong = {case.question for case in CASES if case.status != 200}
    assert right == wrong == set(QUESTIONS)
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("path", ["numbers", "words"])
def test_a_difference_is_seen(path: str) -> None:
    one: dict[str, Any] = {"numbers": [1.0, {"a": 2000.0}], "words": ["x", None]}
    other: dict[str, Any] = {"numbers": [1.0, {"a": 2000.1}], "words": ["x", 0.0]}
    assert len(list(differences(one[path], other[path], 1e-6))) == 1
    assert list(differences(one[path], one[path], 0.0)) == []
    assert list(differences(one["numbers"], other["numbers"], 1e-4)) == []


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    """A body without what says where it was asked: over HTTP a field is of a path or a query."""
    if "detail" not in body or "status" not in body:
        return {key: value for key, value in body.items() if key != "engine"}
    place = re.compile(r"\b(?:body|query|path|request)(?:\.|(?=:)|$)")
    wrong = [{**one, "where": place.sub("", one["where"])} for one in body.get("errors", [])]
    return {**body, "instance": "", "detail": place.sub("", body["detail"]), "errors": wrong}


def differences(wanted: Any, found: Any, tolerance: float, where: str = "") -> Iterator[str]:
    """Each place where two answers differ by more than the tolerance."""
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted.keys() == found.keys():
        for key in wanted:
            yield from differences(wanted[key], found[key], tolerance, f"{where}.{key}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for row, pair in enumerate(zip(wanted, found, strict=True)):
            yield from differences(*pair, tolerance, f"{where}[{row}]")
    elif isinstance(wanted, float) and isinstance(found, int | float):
        if not math.isclose(wanted, found, rel_tol=tolerance, abs_tol=tolerance):
            yield f"{where}: {found}, not {wanted}"
    elif wanted != found or type(wanted) is not type(found):
        yield f"{where}: {found!r}, not {wanted!r}"
