"""Roles: named sets of permissions with reach. The built-in ones come from the policy file."""
