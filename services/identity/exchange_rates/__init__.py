"""Exchange rates: what a unit of a currency is worth in the base currency, from which day on."""
