"""Triangles, rays, noise and bodies given by a distance: nothing here knows of faces."""
