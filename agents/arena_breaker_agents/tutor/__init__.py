"""A tutor that asks a language model: prompts, decisions, clients, transcripts, and what it costs.

Nothing is imported here, so that users do not load a library that their client does not need.
"""
