"""A game: "Who took this photo?" One picture at a time, and at the end how good one's own eyes are."""
