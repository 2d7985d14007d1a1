"""MIRI: rounds of rectified flow that reduce the information between data and mask."""
