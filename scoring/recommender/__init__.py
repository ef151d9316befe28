"""The recommender: loads a bundle, answers from it, and measures it.

Answering:

- `model`: `Recommender`: predict, recommend, fold in, similar titles; scores one bundle.
- `bundle`: the bundle's folder, written and read.
- `rankers`, `fold_in`: the families of rankers; the fold-in of each family of predictors.
- `content`, `fallback`: scores of titles the ranker does not know; the order of strategies.
- `golden_check`: puts the recorded golden queries to a loaded bundle.
- `top_n`: everybody's lists, in blocks and as a file.

Measuring:

- `ratings_arrays`, `ratings_files`: ratings in memory; reading them.
- `holdout`: which ratings are held out, and the metrics on them.
- `baselines`: biases and popularity, comparisons with them, and the live record.
- `holdout_evaluation`, `holdout_people`: `evaluation.json`; the record of each person.
"""

__all__ = [
    "baselines",
    "bundle",
    "fold_in",
    "holdout",
    "holdout_evaluation",
    "item_weights",
    "model",
    "rankers",
    "ratings_arrays",
    "ratings_files",
    "top_n",
]
