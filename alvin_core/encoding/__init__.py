"""Texts to vectors: pre-trained encoders, what training reads of every example, and the cache on disk.

Import from the modules; this file imports nothing, so that ``import alvin_core`` stays fast.
"""
