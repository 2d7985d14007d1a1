"""Settings of a run that learns, as a file."""

CONFIG = """
data = "DIR/in.csv"
save = "DIR/model"
method = "knn"
seed = 3
quiet = true
leave = ["id"]
[options]
k = 2
"""
