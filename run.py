"""The front door: `python run.py --help`."""

import sys

from sim.cli.front import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
