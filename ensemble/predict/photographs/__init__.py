"""The photographs that somebody asks about: found, decoded, brought to the size of the bundle."""
