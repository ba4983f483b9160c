"""The commands behind `run.py`, one a file, each with `add_arguments(parser)` and `main(args) -> exit status`."""
