"""From a recipe in the config to an object, its code's hash, and its files once it is trained."""
