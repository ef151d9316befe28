"""`make bench`: the short benchmarks, one after the other. Longer ones are run by name.

python -m bench                     # reading pages, beside parsel
python bench/crawl.py --help        # crawl and HDFS load beside their peers
python bench/recommender.py --help  # errors and rankings beside peers, any release, any split
python bench/cold_titles.py --help  # titles nobody rated: ranked by content, inside train
python bench/als_speed.py --help    # Spark's ALS as we set it, beside its defaults
python bench/budget.py --help       # budgets on rolling origins, beside peers
python bench/budget_bias.py --help  # too low or too high on new titles; what its intervals hold
python bench/title_dump.py --help   # IMDb's datasets at full size: rows a second, memory
python -m bench.scale --help        # the recommender's tasks on 100,000 to 32 million ratings
python -m bench.title_scale --help  # prepare_titles on as many titles as IMDb has
python -m bench.exports --help      # PMML, ONNX and MLeap beside the native scorer
python -m bench.fold_in --help      # what folding a newcomer in loses against a fit that had them
python -m bench.diversity --help    # what varied lists cost in nDCG, and what they bring
python -m bench.document_speed --help  # documents a second to CouchDB, and a reader meanwhile
python -m bench.choice_simulation   # how often chance alone replaces a recipe
python -m bench.gate_simulation     # what chance does at the gate in years of weeks
python -m bench.paired_errors --help  # how exactly two models are compared: that one's input
python -m bench.engines --help      # all engines in one table: answers, memory, seconds to start
python -m bench.connect --help      # Spark Connect beside native: answers, memory, restart
python -m bench.streams --help      # questions over topics: the plain loop and micro-batches
python -m bench.idle --help         # what an idle Airflow costs: memory and CPU over an hour
python -m bench.weekly_run --help   # a run through Airflow and from a shell (stack up)
"""

from __future__ import annotations

import subprocess
import sys

from marquee.settings import REPOSITORY

SHORT = ([sys.executable, "bench/crawl.py", "--repeats", "3"],)


def main() -> int:
    """Run each; the first status that is not zero."""
    print(__doc__)
    return next((status for command in SHORT if (status := _run(command))), 0)


def _run(command: list[str]) -> int:
    return subprocess.run([*command, *sys.argv[1:]], cwd=REPOSITORY).returncode


if __name__ == "__main__":
    sys.exit(main())
