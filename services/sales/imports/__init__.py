"""Imports: a company's history comes in as lines of JSON, and every row gets a verdict."""
