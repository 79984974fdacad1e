"""Members trained without whole clusters of fakes: what to expect from an unseen generator."""
