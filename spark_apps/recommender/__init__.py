"""Training the recommender: recipes, Spark fits, golden queries, the bundle.

In the order of a run:

- `training_titles`: what the run knows of its titles, and the words of each.
- `recipes`: a recipe is a family with its parameters; reading one checks every key.
- `families`: what a family registers and must give, and how it is found by its name.
- `recipe_search`: which recipe is affordable and best on an inner split, and with which blend.
- `trainer`: fits a recipe to some rows and writes the bundle.
- `training_data`: ratings and side information by row number, as every family is fitted to them.
- `golden_queries`: the answers that a loaded bundle must repeat.

The families, a module each: predictors `predictor_als_bias` and `predictor_bayes` (with
`bayes_model`, `gibbs_sampler`), rankers `ranker_implicit_als`, `ranker_ease`, `ranker_ease_als`.
They share `als` (Spark's ALS); `content_fit` scores titles that the ranker does not know.
"""

__all__ = [
    "als",
    "families",
    "recipe_search",
    "recipes",
    "trainer",
    "training_data",
    "training_titles",
]
