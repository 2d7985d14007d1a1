"""CSBI: a conditional Schrödinger bridge."""
