"""A tutor that asks a language model: prompts, decisions, clients, transcripts, and what it costs.

Nothing is imported here, so that nobody pays for a library that the client does not need.
"""
