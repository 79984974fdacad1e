"""Questions about single photographs of any size."""
