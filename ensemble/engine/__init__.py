"""Running the work of an experiment: in this process, or on Ray. Both run the very same tasks."""
