"""Sequential peers, each in an environment of its own: `PEERS[name](question, rule)` as in
`peers_ranking`. They need the order of a person's ratings alone, and nothing is tuned."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.bench_environment import REPOSITORY, peer_python
from bench.peers_ranking import PEERS as SIMPLE_PEERS
from bench.peers_ranking import Parameters, Question, Rule, Try
from marquee.errors import SourceError
from scoring.arrays import Ints


class OwnEnvironment:
    """A peer that is `bench/<name>.py`, run by the Python of `.venv-bench-<name>`."""

    grid: Sequence[Parameters] = ({},)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, question: Question, rule: Rule) -> tuple[Ints, list[Try]]:
        """Lists [people, 10] of unseen titles; people without ratings in train are answered by
        popularity. `rule` is not used. SourceError with the script's last line where it fails."""
        python = peer_python(self.name)
        with tempfile.TemporaryDirectory() as folder:
            asked, answered = Path(folder) / "question.npz", Path(folder) / "lists.npy"
            train, script = question.train, REPOSITORY / "bench" / f"{self.name}.py"
            np.savez(
                asked,
                user_ids=train.user_ids,
                movie_ids=train.movie_ids,
                times=train.times,
                people=question.people,
                seed=question.seed,
            )
            command = [str(python), str(script), str(asked), str(answered)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise SourceError(f"{self.name} failed: {last}", f"run {script} by itself")
            lists = np.load(answered)
        popular, _ = SIMPLE_PEERS["popularity"](question, rule)
        return np.where(question.user_rows[:, None] < 0, popular, lists), [(0.0, {})]


PEERS = {"SASRec": OwnEnvironment("sasrec")}
