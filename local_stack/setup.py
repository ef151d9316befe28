"""The second half of set-up, inside the environment: Java, jars, class archives."""

from __future__ import annotations

import sys
from pathlib import Path

from local_stack.archives import make_archives
from local_stack.jars import fetch_jars
from local_stack.java import java_home
from marquee.errors import MarqueeError
from marquee.settings import REPOSITORY, Settings, load_settings


def cache_folder(settings: Settings) -> Path:
    """What every world shares: jars, class archives, a Java if it had to be installed."""
    return (REPOSITORY / settings.cache).resolve()


def set_up(settings: Settings) -> None:
    """Bring the cache to what the settings name; what is there already is left alone."""
    cache = cache_folder(settings)
    ready = cache / "ready"
    ready.unlink(missing_ok=True)
    home = java_home(cache)
    fetch_jars(settings.jars, home / "bin" / "java", cache / "jars")
    make_archives(home, cache)
    ready.touch()


def main() -> int:
    """For `local_stack.bootstrap`."""
    try:
        set_up(load_settings())
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
