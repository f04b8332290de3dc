"""Contracts: what we owe a customer after the sale, from the draft a win opens to the end of its term."""
