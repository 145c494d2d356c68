"""The statistical shape of a face, and how likely landmarks are to be one."""
