"""Throughput: how fast this machine plays, beside other environments and an earlier run.

Every figure is taken in a process of its own kind: environments, ours like all others, in
workers that answer with steps a second (`worker`, `process`), starting and memory in fresh
interpreters. `run` takes them round by round, each after a reading of a fixed
calibration loop, and `results` keeps them. What is measured stands in `adapters`.
"""
