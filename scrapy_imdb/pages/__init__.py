"""Page objects: one class a layout, and the one place that knows which page has which."""

from scrapy_imdb.pages.layouts import LAYOUTS, page_for, read_page
from scrapy_imdb.pages.refusal import ChallengePageError, RefusedPageError
from scrapy_imdb.pages.title_page import TitlePage

__all__ = [
    "LAYOUTS",
    "ChallengePageError",
    "RefusedPageError",
    "TitlePage",
    "html",
    "layouts",
    "page_for",
    "read_page",
    "values",
]
