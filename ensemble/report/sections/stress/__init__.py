"""Sections about audits, altered photographs, and fakes never seen."""
