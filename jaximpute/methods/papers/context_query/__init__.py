"""Context-query diffusion: complete fields learned from incomplete samples only."""
