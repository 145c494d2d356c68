"""Eyes of a face that is followed: their crops, and the readings of a model."""
