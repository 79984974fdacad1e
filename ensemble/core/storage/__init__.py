"""Files that are never half written, in a folder or on an object store, and who may write them."""
