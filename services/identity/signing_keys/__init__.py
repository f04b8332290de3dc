"""Signing keys: ES256 key pairs. The public halves are published, the private ones kept encrypted."""
