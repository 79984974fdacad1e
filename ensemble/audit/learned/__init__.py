"""Audits that learn something: a probe, training against test, shuffled labels, drift."""
