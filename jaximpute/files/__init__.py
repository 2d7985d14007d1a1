"""Files that fit in memory: each format read and written, and how a result gets into its place."""
