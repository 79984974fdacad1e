"""Atomic writes, locks and hashes of files, in a folder or on an object store."""
