"""The services of the suite. Each can be lifted out: own database, own migrations, own image."""
