"""What a simulated fleet leaves outside Kubernetes: git, a database, an inventory, metrics, results."""
