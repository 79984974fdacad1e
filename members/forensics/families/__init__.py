"""The feature families. A module here that defines `FAMILY` can be asked for by its file's name.

Nothing else lists them, so that adding a family is adding a file.
"""
