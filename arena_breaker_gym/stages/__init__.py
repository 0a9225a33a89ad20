"""Stages: arenas and their waves as JSON, checked, and baked into what the rules look up."""
