"""Simple imputers: means, interpolation, neighbours, Gaussians, chained equations."""
