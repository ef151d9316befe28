"""The guide to a shelf of boards names commands that exist, and a table that the plan makes."""

from __future__ import annotations

import re
import shlex

import pytest
import typer.main

import cli
from local_stack.host_daemon import NAMES, ROLES
from marquee.host_needs import DataSize
from marquee.role_needs import PLACES
from marquee.settings import REPOSITORY
from marquee.shelf import plan_boards, read_boards

GUIDE = (REPOSITORY / "docs" / "guides" / "cluster.md").read_text()
BLOCKS = [block.replace("\\\n", " ") for block in re.findall(r"```\n(.*?)```", GUIDE, re.DOTALL)]
TYPED = [line.strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
MARQUEE = [m[1] for line in TYPED if (m := re.search(r"(?:^|\.venv/bin/)(marquee .+)", line))]
DAEMONS = [line for line in TYPED if "local_stack.host_daemon" in line]
ROWS = re.findall(r"^\| ((?:four|one) of .+?) \| (.+) \|$", GUIDE, re.MULTILINE)
SIZES = (
    DataSize(100_836, 610, 9_724),
    DataSize.of(1_000_000),
    DataSize.of(10_000_000),
    DataSize(32_000_204, 200_948, 87_585),
)
NUMBERS = {"one": 1, "three": 3, "four": 4}


def test_the_guide_has_commands() -> None:
    assert len(MARQUEE) >= 4 and len(DAEMONS) >= 2 and len(ROWS) == 6


@pytest.mark.parametrize("line", MARQUEE)
def test_a_command_of_marquee_exists_with_its_flags(line: str) -> None:
    words = shlex.split(line)
    flags = {name for option in COMMANDS[words[1]].params for name in option.opts}
    assert {word for word in words if word.startswith("--")} <= flags


@pytest.mark.parametrize("line", DAEMONS)
def test_a_daemon_of_the_guide_exists(line: str) -> None:
    words = line.split("local_stack.host_daemon ")[1].split()
    assert words[0] in NAMES
    assert words[1] in ("--format", "--airflow")


def test_a_command_named_in_a_sentence_exists() -> None:
    named = set(re.findall(r"`marquee ([a-z-]+)", GUIDE))
    assert {"plan", "units", "doctor"} <= named <= set(COMMANDS)


def test_the_roles_of_the_guide_exist() -> None:
    named = {role for roles in boards_of_guide().values() for role in roles}
    elsewhere = {"journalnode", "resourcemanager", "nodemanager"}  # yarn.md
    assert named == set(ROLES) - elsewhere - set(PLACES)
    assert all(f"`{role}`" in GUIDE for role in ROLES.keys() & PLACES.keys())


def boards_of_guide() -> dict[str, set[str]]:
    rows = re.findall(r"^\| (board\d) \| (.+) \|$", GUIDE, re.MULTILINE)
    return {board: set(re.findall(r"`([\w-]+)`", row)) for board, row in rows}


def test_the_boards_of_the_guide_are_those_of_the_plan_that_it_names() -> None:
    (hosts,) = set(re.findall(r"--data ml-latest-small --hosts (\S+)", GUIDE))
    found = plan_boards(SIZES[0], read_boards(hosts), demo=True)
    planned = {board.name: board.roles.keys() - {"executor"} for board in found.boards}
    assert planned == boards_of_guide()
    named = re.findall(r"^   192\S+ (board\d) (\S+)$", GUIDE, re.MULTILINE)
    assert len(named) == 4 and all(role in planned[board] for board, role in named)


@pytest.mark.parametrize(("boards", "cells"), ROWS, ids=[row[0] for row in ROWS])
def test_the_table_of_what_fits_is_the_plan_s(boards: str, cells: str) -> None:
    kinds = re.findall(r"(one|three|four) of (\d+) GB", boards)
    hosts = ",".join(f"{NUMBERS[count]}x{size}GB" for count, size in kinds)
    said = [cell.strip().split(":")[0] for cell in cells.split("|")]
    assert said == ["yes" if plan_boards(s, read_boards(hosts)).fits else "no" for s in SIZES]


def test_make_targets_of_the_guide_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`(?:cd /opt/marquee && )?make ([\w-]+)`", GUIDE))
    assert named and named <= targets
