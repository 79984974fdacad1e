"""Ensembles that get better by themselves: members with tuned settings, and more of them."""
