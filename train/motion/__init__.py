"""Real faces set in motion: clips whose landmarks are known in every frame."""
