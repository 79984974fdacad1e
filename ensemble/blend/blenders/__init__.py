"""The blenders, one idea a file."""
