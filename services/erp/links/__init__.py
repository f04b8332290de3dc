"""Links: which of our orders is which document of the ERP, how far it is, and every call made for it."""
