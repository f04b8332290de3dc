"""The connector: speaks to one ERP, so that everybody else sees canonical facts only.

Owns the links between our orders and the ERP's documents, the tables that translate codes, and a small demo ERP.
"""
