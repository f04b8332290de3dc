"""What spans two slices of identity, one file a process."""
