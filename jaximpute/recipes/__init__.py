"""How learned methods are set up for given data: networks, rows, starts and presets.

A recipe stands between a name with options and a method's factory. Its own defaults, with those of
the factory, are the preset `balanced`.
"""
