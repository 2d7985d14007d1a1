"""Containers in memory: reading, coding, the time axis, writing back."""
