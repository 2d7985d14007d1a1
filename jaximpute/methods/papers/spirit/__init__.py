"""SPIRIT: score learning and proximal particle updates under semi-proximal transport."""
