"""The budget model: `model.BudgetModel` loads a bundle and answers, `evaluate` measures it."""
