"""Trains the budget model with Spark: features, fits, the choice of a recipe, and the bundle.

A *question* is a set of known inputs, for example `before release` (no rating) or `with rating`.

families         recipes as data, and the table of the families that they name
regressors       the fits of the families
stage_recipes    Spark's transformers as the stages of a recipe
features         attributes, target and track records as columns
feature_vectors  the feature vector of a question as SQL
folds            which titles a fit learns from, and the fits on them
pipeline         from a recipe and featured titles to a Spark pipeline
out_of_sample    errors on later titles: they choose the recipe and set the 80 % interval
golden_queries   queries with Spark's answers
saved_models     reads models that Spark saved, for NumPy
trainer          scores recipes and writes the chosen fits
"""

__all__ = [
    "families",
    "feature_vectors",
    "features",
    "folds",
    "out_of_sample",
    "trainer",
]
