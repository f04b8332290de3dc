"""Support: keep the promise after the sale.

Owns contracts with their entitlements, assets with their warranty, and cases.
"""
