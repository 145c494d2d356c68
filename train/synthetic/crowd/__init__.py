"""Pictures of several rendered people: each is rendered once, as a cut-out, and shown in many pictures."""
