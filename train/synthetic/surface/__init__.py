"""Materials: skin, eyes and hair."""
