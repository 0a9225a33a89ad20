"""Adapters: what is measured of each environment, ours among them.

An adapter is data and a way to make a step. These files also run under the interpreters of
other environments, with NumPy and that environment alone (Python 3.10 or newer): nothing of
Arena Breaker is imported at the top, and nothing at all of the environment measured.
"""
