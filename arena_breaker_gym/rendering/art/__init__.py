"""The art: pygame draws every sprite of a skin once, large, and it is scaled down smoothly.

One file a family of sprites. Nothing here knows the arena's record, and no colour is written
here: all come from the skin.
"""
