"""The head model: files, shape, landmarks, the outline, identity and expression."""
