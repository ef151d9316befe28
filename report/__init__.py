"""The report page of a verdict: what a person reads about a model.

- `model_page`: writes the page into the model's folder; inserts a later outcome and forecast
- `shared_sections`: the sections of both models: headlines, comparisons, search, costs
- `charts`: the geometry of the small pictures
- `cells`: formats values as the text of table cells

Inside: `model_sections`, the sections of one model only; `data_sections`, the world then and now
and the statistics of the titles.
"""

__all__ = ["cells", "charts", "model_page", "shared_sections"]
