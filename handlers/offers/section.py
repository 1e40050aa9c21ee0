"""The section of a customer's row that is of offers; watched products have their own (state/section_codec.py)."""

from handlers.belief.section import Section

OFFERS = 2
"""Its tag."""

PRODUCT_DUE = 0  # when a deposit is to be looked at, epoch ms, 0 for never
TIER = 1  # place among the policy's tiers, from 1; 0 is not known

SECTION = Section(OFFERS, ("product_due", "tier"))
