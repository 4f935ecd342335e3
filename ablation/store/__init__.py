"""Finished work on disk, one folder a stage, and the right to write it."""
