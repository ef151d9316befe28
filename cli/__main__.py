"""`python -m cli` is the `marquee` command."""

import sys

if __name__ == "__main__":
    try:  # the import takes seconds, so it must catch Ctrl-C too
        from cli import main

        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
