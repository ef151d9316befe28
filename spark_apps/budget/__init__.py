"""The budget model: features, fits, the choice of a recipe, and the bundle they become."""
