"""What a finding may be of that more than one belief knows, or the engine itself. Bits, beside those of triggers
(offers/triggers.py)."""

RETURNED = 8
"""The customer whose churn alert stands is back."""
CHURN_RISK = 2048
"""A churn alert has been decided on: a follow-up of churn's, and a trigger for offers."""
RUN_OFF = 4096
"""An active customer is on the way out."""
REVERSED = 8192
"""A transaction has been taken back."""
SILENT = 16384
"""A due time has passed in silence."""
CUSTOMER_RECORD = 32768
"""A record of a topic beside the transactions has come (intake/inputs.py)."""
