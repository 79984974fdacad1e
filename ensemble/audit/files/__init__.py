"""Audits of the files themselves: formats, names, copies."""
