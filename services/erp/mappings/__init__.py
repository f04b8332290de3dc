"""Mappings: which code of the ERP stands for which code of ours."""
