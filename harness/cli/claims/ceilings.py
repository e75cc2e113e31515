"""The rules of the claims on the ceilings of the provider's plans, which our server has because it is set to them."""

from __future__ import annotations

from harness.cli.claims.experiments.burst import JOINS, BurstFacts
from harness.cli.claims.experiments.sockets import CEILINGS, CHANNELS, FLOOD_PER_S, GENTLE_PER_S, MORE, SocketFacts
from harness.cli.claims.verdicts import about, figure, ruled, share, untestable
from harness.results.claims import ClaimMeasured

PROVIDER = "the provider is out of reach, and our server has this ceiling because it is set to it"


def free_sockets(facts: SocketFacts) -> ClaimMeasured:
    """Two hundred of the provider's; ours lets in what it is set to."""
    return _admitted(facts.free, "free")


def pro_sockets(facts: SocketFacts) -> ClaimMeasured:
    """Five hundred, likewise."""
    return _admitted(facts.pro, "pro")


def team_sockets(facts: SocketFacts) -> ClaimMeasured:
    """Ten thousand, likewise; that our server bears them is its own."""
    if facts.team is None:
        return untestable(f"{PROVIDER}; ten thousand are opened on documented alone, in the long form")
    said = f"our server bore {facts.team:,} open sockets of {CEILINGS['team'] + MORE:,}"
    return untestable(PROVIDER, said, sockets=figure(facts.team))


def _admitted(seen: int, plan: str) -> ClaimMeasured:
    said = f"our server with --plan {plan} let in {seen} of {CEILINGS[plan] + MORE} sockets"
    return untestable(PROVIDER, said, sockets=figure(seen))


def channels(facts: SocketFacts) -> ClaimMeasured:
    """One hundred of the provider's."""
    said = f"our server with --plan free let in {facts.channels} of {CHANNELS + 5} channels"
    return untestable(PROVIDER, said, channels=figure(facts.channels))


def plan_rate(facts: SocketFacts) -> ClaimMeasured:
    """Who sends far more than the plan allows is cut off, by our server as by the provider's documentation."""
    became = "closed" if facts.flood_cut else "left open"
    return untestable(PROVIDER, f"our server with --plan free, asked for {FLOOD_PER_S}/s, {became} the channel")


def channel_rate(facts: SocketFacts) -> ClaimMeasured:
    """Five times the limit on one channel; our server counts by project, as the provider's documentation has it."""
    return untestable(
        PROVIDER,
        f"on our server {facts.gentle_heard} of {facts.gentle_sent} broadcasts at {GENTLE_PER_S}/s arrived",
        arrived=share(facts.gentle_heard, facts.gentle_sent),
    )


def free_capacity(facts: SocketFacts) -> ClaimMeasured:
    """Users search with a socket each, so that the plan's ceiling is theirs: the range holds where it lies in it."""
    said = f"with one socket each, and the plan's ceiling, user {facts.free + 1} is refused"
    return ruled(200 <= facts.free <= 500, said, users=figure(facts.free))


def pro_capacity(facts: SocketFacts) -> ClaimMeasured:
    """As for the free plan, within the tolerance of an approximate figure."""
    said = f"with one socket each, and the plan's ceiling, user {facts.pro + 1} is refused"
    return ruled(about(facts.pro, 3000), said, users=figure(facts.pro))


def database_connections(facts: BurstFacts) -> ClaimMeasured:
    """Sixty of the provider's; ours opens no more than it is set to."""
    said = f"our server with --plan free had at most {facts.connections} open while {JOINS} users joined at once"
    return untestable(PROVIDER, said, connections=figure(facts.connections))
