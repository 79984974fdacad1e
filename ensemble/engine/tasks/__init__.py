"""The kinds of work, one a file: what each needs, how it runs, and what it returns."""
