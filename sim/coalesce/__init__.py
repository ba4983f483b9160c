"""A capture through receive offload engines: what `run.py coalesce` does, apart from the command line.

`card` fills in what a capture does not tell, `polls` groups frames, `passage` hands them to the engines, `tally` keeps
their books. `comparison` cuts the merged packets again and holds them against what came; `explain` and `resegment` say
what it finds.
"""
