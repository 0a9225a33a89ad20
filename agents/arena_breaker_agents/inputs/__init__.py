"""What a person holds: `keyboard`, `mouse` and `gamepads`, each fed with pygame's events.

None of them needs a window. `request` is what a person asks for besides playing.
"""
