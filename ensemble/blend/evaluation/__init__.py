"""Nested scores of blenders, the choice among them, the decision rule, and the worth of members."""
