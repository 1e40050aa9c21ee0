"""What to offer next: the catalogue, triggers, eligibility, arbitration, what is learned of outcomes."""
