"""What every belief is made of: what is found and decided on, and its section of a customer's row."""
