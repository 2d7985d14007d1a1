"""Pure functions of arrays: processes, solvers, losses, transport. Nothing here knows a method."""
