"""The four published methods that the library exists for, a folder each."""
