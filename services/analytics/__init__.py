"""Analytics: what happened. It owns no business object.

Keeps every fact of every service for good (`archive`), folds them into tables that can be thrown away and
rebuilt with identical results (`projections`, `facts`), and answers questions over these tables (`customers`,
`kpis`).
"""
