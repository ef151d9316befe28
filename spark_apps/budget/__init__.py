"""The budget model: features, fits, the choice of a recipe, and the bundle they become."""

__all__ = ["card", "choice", "features", "folds", "keeping", "recipes", "told", "workbench"]
