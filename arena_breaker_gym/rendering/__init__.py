"""The picture: one renderer for the single environment, the batch, the replay and the video.

Everything here reads the arena's record and changes nothing in it. `renderer` is the face that
other rooms use; `layers` are for people's eyes, and students never see them.
"""
