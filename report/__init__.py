"""What a person reads about a model: the report page of a verdict.

- `model_page`: writes the page beside the verdict; inserts a later outcome
- `shared_sections`: headlines, paired comparisons, training data, search, costs
- `charts`: the geometry of the small pictures
- `cells`: values as the text of a table's cell

Inside: `model_sections`, which one model alone has.
"""

__all__ = ["cells", "charts", "model_page", "shared_sections"]
