"""Page objects: one class for each layout of a title page.

- `layouts`: chooses the layout of a page; `read_page` makes an item of a response
- `title_page`: the base class of all layouts, and the errors of a refused page
- `markup_page`, `markup_layouts`: pages of 2014 to 2021, read from the markup
- `next_data`, `react_layouts`: pages since 2021, read from the page's JSON data
- `html_sections`: cuts and parses the sections of a page
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
