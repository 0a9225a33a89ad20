"""The arena over the Model Context Protocol: any client plays, and episodes are kept as an agent's.

`game` is one episode played from outside, `games` those that are open; neither knows the
protocol. `server` is what clients see.
"""
