"""Making a bundle of a store: its models, the doubt gate, limits and error rates."""
