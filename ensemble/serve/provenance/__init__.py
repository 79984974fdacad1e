"""What a file says of its origin: signed manifests (C2PA) and metadata. It never moves an answer."""
