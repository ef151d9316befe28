"""Whether a page answers: `healthy.py URL [TEXT | KEY=STATUS]`. Standard library only.

TEXT must be on the page. KEY=STATUS is for Airflow's health page: that component has that status.
`file:///path` is a file that its process writes again and again: it must be younger than a minute.
"""

import json
import sys
import time
import urllib.request
from email.utils import mktime_tz, parsedate_tz

SECONDS = 60


def main() -> int:
    url, expected = sys.argv[1], (sys.argv[2:] or [""])[0]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(url, timeout=8)
        page = answer.read().decode(errors="replace")
        written = parsedate_tz(answer.headers["Last-modified"]) if url[:5] == "file:" else None
        if written and time.time() - mktime_tz(written) > SECONDS:
            raise ValueError(f"was not written for {SECONDS} s")
    except (OSError, ValueError) as error:
        print(f"{url}: {error}")
        return 1
    key, equals, status = expected.partition("=")
    found = (json.loads(page).get(key) or {}).get("status") if equals else ""
    if (equals and found != status) or (not equals and expected not in page):
        print(f"{url}: {expected} is not so: {found or page[:200]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
