"""Containers in, containers out: reading, coding, the time axis, writing back."""
