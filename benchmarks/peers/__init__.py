"""Other libraries and other codes, beside which this one is measured."""
