"""Files larger than memory, completed block by block."""
