"""Marketing: from a stranger to a lead that sales takes over.

Owns web forms, leads with their verdict, score and handovers, and the scoring models behind them.
"""
