"""A member's module that cannot be imported any more: it uses what its library has dropped."""

raise AttributeError("np has no bool8")
