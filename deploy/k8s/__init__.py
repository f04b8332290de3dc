"""The installation on Kubernetes: what is made from the declared topics, and checks that everything fits together."""
