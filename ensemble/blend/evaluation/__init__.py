"""How good a blender is, honestly, and what follows from it."""
