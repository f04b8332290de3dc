"""What spans two slices, one file a process."""
