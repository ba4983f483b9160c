"""The world in time: who acts when. What to do is asked of `models`."""
