"""Who is in which fold: cut once for all members, grouped by near-duplicates, signed with a hash."""
