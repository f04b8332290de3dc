"""Customers: which customer of the ERP an account is."""
