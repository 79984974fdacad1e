"""A bundle as an API, a page for checking photographs, and a game."""
