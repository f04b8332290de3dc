"""Scoring models: weights, criteria and thresholds by which leads are scored, a version at a time."""
