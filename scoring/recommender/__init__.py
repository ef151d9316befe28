"""The recommender: loads a bundle, predicts and recommends from it, and measures it.

Answering:

- `model`: `Recommender`: predict, recommend, fold in, similar titles; scores one bundle.
- `bundle`: the bundle's folder, written and read.
- `rankers`, `item_weights`: the families of rankers; the ranker by weights between titles.
- `fold_in`: the fold-in of each family of predictors.
- `content`, `fallback`: scores of titles the ranker does not know; the order of strategies.
- `reranking`: varied lists: relevance traded for variety.
- `rating_intervals`: the interval of a predicted rating.
- `golden_check`: compares answers with the recorded golden queries.
- `list_blocks`, `top_n`: the lists of many people at once; everybody's, as a file.

Measuring:

- `ratings_arrays`, `ratings_files`: ratings in memory; reading them.
- `timed_titles`: how often each title was rated lately, and ever.
- `holdout`: the ratings held out, the metrics on them, paired comparisons of two models.
- `baselines`: the bias model and popularity, of all time and lately.
- `interval_calibration`: fits intervals to ratings held out, and measures them.
- `list_variety`: how varied lists are.
- `holdout_evaluation`, `holdout_people`: `evaluation.json`; the record of each person.
- `live_record`: the serving bundle on newer ratings.
"""

__all__ = [
    "baselines",
    "bundle",
    "fold_in",
    "holdout",
    "holdout_evaluation",
    "interval_calibration",
    "item_weights",
    "list_variety",
    "live_record",
    "model",
    "rankers",
    "rating_intervals",
    "ratings_arrays",
    "ratings_files",
    "reranking",
    "timed_titles",
    "top_n",
]
