"""Configuration of Kafka brokers, and the job that gives a cluster its topics, users and rights."""
