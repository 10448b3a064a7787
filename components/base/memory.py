"""The memory budget: how many bytes of images a component may keep in memory at once."""

from components.base.size import Size

DEFAULT_MEMORY_BUDGET = 10**9

MemoryBudget = Size
"""Bytes of images that a component keeps in memory at once, in addition to its libraries.

It decides the chunk size, never the result: exclude it from `identity()`. Only labels, row numbers and digests, some
tens of bytes per image, grow with the data regardless of the budget.
"""
