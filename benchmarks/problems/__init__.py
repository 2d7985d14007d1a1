"""What is measured on: data by name, holes by seed, and how completions are scored."""
