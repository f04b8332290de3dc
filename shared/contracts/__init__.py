"""What the services tell each other: topics, schemas and examples as data, and the code that reads them."""
