"""The learned methods that the published ones are compared with."""
