"""`python -m cli` is the `marquee` command."""

import sys

if __name__ == "__main__":
    try:  # the import takes seconds, in which somebody may press Ctrl-C
        from cli import main

        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
