"""The rules of the game, compiled by Numba over one record an arena.

Nothing in this room knows Gymnasium, pygame or files. Play uses only + − × ÷ √ and
comparisons, which IEEE 754 rounds alike on every machine: no trigonometry, no `fastmath`.
"""
