"""What to expect from a generator never seen: members trained again without whole clusters of fakes."""
