"""Rendered faces with exact landmarks: identity, expression, skin, hair, accessories, light and camera, on one core."""
