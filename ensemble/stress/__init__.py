"""Stress tests of a trained ensemble: altered photographs, and fakes of unseen generators."""
