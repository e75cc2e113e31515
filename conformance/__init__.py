"""The black-box suite: it checks any target by URL and says which requirement it breaks."""
