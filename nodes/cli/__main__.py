"""Runs the command line: `python -m nodes.cli`."""

from nodes.cli import main

if __name__ == "__main__":
    main(prog_name="yrdx")
