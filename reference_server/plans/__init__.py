"""What a provider's plan allows: the ceilings as data, and how rates are counted against them."""

from reference_server.plans.plan import PLANS, Plan, PlanName
from reference_server.plans.rate import RateCounter

__all__ = ["PLANS", "Plan", "PlanName", "RateCounter"]
