"""The drill's own arithmetic: only the meant condition, alone, counts as held."""

from __future__ import annotations

import pytest

from replica.world_faults import FAULTS
from tests.drill.wrong_worlds import WRONG_WORLDS, counted, table


def test_a_fault_refused_as_meant_is_no_failure() -> None:
    refused = {name: str(fault.condition) for name, fault in FAULTS.items()}
    assert counted(refused) == {"faults": 10, "refused_as_meant": 10, "failures": 0}
    assert WRONG_WORLDS.count == len(FAULTS)


@pytest.mark.parametrize("refused", ["none", "3, 5", "5", "no verdict: r-1 did not end"])
def test_anything_else_is_a_failure(refused: str) -> None:
    assert FAULTS["shuffled_titles"].condition == 3
    assert counted({"shuffled_titles": refused, "lost_rows": "5"})["failures"] == 1


def test_the_table_has_a_line_a_fault() -> None:
    lines = table(dict.fromkeys(FAULTS, "none")).splitlines()
    assert len(lines) == 1 + len(FAULTS)
    assert lines[1].split() == ["nan_factors", "recommender", "1", "none"]
