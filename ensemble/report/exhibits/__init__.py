"""Which photographs a report shows, and what of them: chosen by what the members say, with picture and spectrum."""
