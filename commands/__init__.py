"""The commands of startrack, one file each: wiring only, heavy imports inside the function."""
