"""What people look at after a run: the leaderboard, and a page for each member. Everything comes from the store."""
