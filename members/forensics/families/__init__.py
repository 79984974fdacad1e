"""The feature families. A module here that defines `FAMILY` is available under its file's name.

Nothing else lists them, so adding a family means adding a file.
"""
