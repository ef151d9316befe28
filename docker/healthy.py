"""Whether a page answers: `healthy.py URL [TEXT | KEY=STATUS]`. Standard library only.

TEXT must be on the page. KEY=STATUS is for Airflow's health page: that component has that status.
"""

import json
import sys
import urllib.request


def main() -> int:
    url, expected = sys.argv[1], (sys.argv[2:] or [""])[0]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        page = opener.open(url, timeout=8).read().decode(errors="replace")
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
