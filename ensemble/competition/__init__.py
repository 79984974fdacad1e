"""The competition's files: read and checked once, and the submission that is written at the end."""
