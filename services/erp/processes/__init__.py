"""What spans two slices, or a slice and the ERP; one file a process."""
