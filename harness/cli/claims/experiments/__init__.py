"""What is done to a deployment to learn whether a claim holds: one module for each family of claims."""
