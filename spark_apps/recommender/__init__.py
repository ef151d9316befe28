"""The recommender's training: recipes, Spark fits, the blend, golden queries, the bundle."""
