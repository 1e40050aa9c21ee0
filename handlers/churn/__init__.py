"""Who is about to leave: when to judge, the model, its inputs, the alert and its reasons."""
