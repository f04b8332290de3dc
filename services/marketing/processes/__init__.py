"""What spans two slices, or marketing and sales."""
