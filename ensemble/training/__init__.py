"""Training every fold that is missing: the plan, the members that run, and the work itself."""
