"""What a head wears: hair, beard, glasses, headwear, masks, clothes and hands."""
