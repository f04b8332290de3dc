"""Orders: what was sold, on its way to the ERP and back."""
