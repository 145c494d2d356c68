"""Eyes of faces and the truth of each: from rendered faces, from landmarks, from a peer's irises."""
