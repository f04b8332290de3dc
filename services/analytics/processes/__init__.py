"""What spans two slices of analytics."""
