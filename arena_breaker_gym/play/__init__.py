"""A person plays in a window; episodes are kept as any agent's.

`session` is what a person plays, one game after another, and knows no window. `pace` is the
clock, `between` what is seen between two steps, `screen` the window with its `panels`, and
`playing` what ties them together.
"""
