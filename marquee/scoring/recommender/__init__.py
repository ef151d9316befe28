"""The recommender: `model.Recommender` loads a bundle and answers, `evaluate` measures it."""
