"""A tutor that asks a language model: prompts, decisions, minds, transcripts, and what it costs.

Nothing is imported here, so that nobody pays for a library that his mind does not need.
"""
