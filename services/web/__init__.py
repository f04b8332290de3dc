"""The face of the suite for people. It owns no business fact: what it shows comes from the other services.

This page shows what runs and the latest demo; nobody signs in yet, so it shows nothing about anybody.
"""
