"""Facts that sections are made of: read from the store and computed once."""
