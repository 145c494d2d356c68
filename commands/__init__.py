"""The commands of cli.py, one file each: wiring only, heavy imports inside the function."""
