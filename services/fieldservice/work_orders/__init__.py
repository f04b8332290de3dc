"""Work orders: work at a customer's site, from the need to its end. Visits carry it out (`appointments`)."""
