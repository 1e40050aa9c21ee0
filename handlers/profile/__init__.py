"""What is known of one customer, read from outside; rows of older versions brought up."""
