"""Trains the budget model with Spark: features, fits, the choice of a recipe, and the bundle.

families         recipes as data, and the table of regressor families they name
features         attributes, target and track records as columns
feature_vectors  a question's vector as SQL
folds            which titles a fit learns from, and the fits on them
pipeline         from a recipe and featured titles to a Spark pipeline
out_of_sample    what errors on later titles decide: the recipe, and the 80 % interval
golden_queries   queries with Spark's answers
saved_models     what Spark saved, read for NumPy
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
