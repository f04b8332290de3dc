"""Sales: from a hot lead to an order in the ERP's hands.

Owns accounts, contacts, products, pipelines, opportunities, activities, quotes, orders and offered leads.
"""
