"""The out-of-fold store: what each fold predicted, signed with what made it, and the tables kept beside it."""
