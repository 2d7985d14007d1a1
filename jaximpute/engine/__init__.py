"""What runs any method: the loop, draws, devices, checkpoints."""
