"""The ERPs that this service can speak to, one module each."""
