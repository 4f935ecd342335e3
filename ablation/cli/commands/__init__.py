"""The commands of `ablation`: a module for each command or group of commands, with its parsers and the functions that run it.

Every module has a function `register`, which adds its parsers. A parser sets `run`: the function that takes the parsed options,
prints, and returns the exit code.
"""
