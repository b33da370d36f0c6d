"""Every seat and every won: what must hold in Postgres, Redis and PortOne's bank once all has settled.

An independent judge: it reads the stores with SQL of its own and imports nothing of what it judges.
"""

from tools.invariants.checker import BankPayment, Violation, violations

__all__ = ["BankPayment", "Violation", "violations"]
