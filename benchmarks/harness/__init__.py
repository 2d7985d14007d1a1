"""How measuring is done: jobs, workers, and turns on a machine that others use."""
