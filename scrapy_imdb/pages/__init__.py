"""Page objects: one class for each layout of a title page, and the choice between them.

- `layouts`: which layout a page has, and `read_page`, from a response to an item
- `title_page`: what every layout shares, and the errors for a page that is refused
- `markup_page`, `markup_layouts`: 2014 to 2021, facts in the markup
- `next_data`, `react_layouts`: since 2021, facts in the page's own JSON data
- `html_sections`: from bytes to the sections that hold facts
"""

from scrapy_imdb.pages.layouts import LAYOUTS, page_for, read_page
from scrapy_imdb.pages.title_page import ChallengePageError, RefusedPageError, TitlePage

__all__ = [
    "LAYOUTS",
    "ChallengePageError",
    "RefusedPageError",
    "TitlePage",
    "html_sections",
    "layouts",
    "page_for",
    "read_page",
    "title_page",
]
