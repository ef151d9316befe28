"""`python -m marquee` is the `marquee` command."""

from marquee.cli import main

if __name__ == "__main__":
    main()
