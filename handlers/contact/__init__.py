"""What may reach a customer: contact history, consent, caps, quiet hours, control group."""
