"""Training the recommender: recipes, Spark fits, golden queries, the bundle.

In the order of a run:

- `training_titles`: the titles of the run, and the words that describe each.
- `recipes`: a recipe is a family with its parameters; reading one checks every key.
- `families`: the interface of a family, and how a family is found by its name.
- `fitted_order`: the order of a list: a ranker's scores, and what is rated lately.
- `recipe_search`: chooses a recipe and its blend on an inner split.
- `trainer`: fits a recipe to ratings and writes the bundle.
- `indexed_ratings`: the ratings by row number, the input of every fit; reads prepared files.
- `training_data`: side information of people and titles.
- `golden_queries`: the answers that a loaded bundle must repeat.
- `content_fit`: content vectors, and scores of titles that the ranker does not know.
- `als`: Spark's ALS, for the families that need it.

Each family is a module: the predictors `predictor_als_bias` and `predictor_bayes` (with
`bayes_model`, `gibbs_sampler`, `rating_blocks`, `posterior_mean`), the rankers
`ranker_implicit_als`, `ranker_ease`, `ranker_ease_als`.
"""

__all__ = [
    "als",
    "content_fit",
    "families",
    "fitted_order",
    "indexed_ratings",
    "recipe_search",
    "recipes",
    "trainer",
    "training_data",
    "training_titles",
]
