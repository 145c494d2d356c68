"""The things on a head: hair, beard, glasses, headwear, masks, clothes and hands."""
