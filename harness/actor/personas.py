"""The personas that the scenarios are made of; a locustfile chooses some, and says how often each comes."""

from __future__ import annotations

from harness.actor.persona import Flood, Persona, Vanishing
from harness.actor.times import Exponential, LogNormal, Uniform

SEARCHING = Persona(name="search_and_chat", rounds=3, skip=0.2)
"""Looks for anybody, talks or skips, and looks again."""

CHURNING = Persona(
    name="churner", hears="poll", talk=Uniform(1.0, 3.0), patience=Exponential(mean=0.05, most=0.5), crossing=0.5,
    rounds=6, think=LogNormal(median=0.6, sigma=0.6, most=3.0), looks_back=True,
)  # fmt: skip
"""Leaves the queue almost at once, or just as somebody else joins, before he has subscribed, and looks whether he was
matched all the same; thinks, and joins again."""

STAYING = Persona(name="stayer", talk=Uniform(1.0, 3.0), rounds=3, think=LogNormal(median=1.0, sigma=0.6, most=4.0))
"""Stays in the queue until he is matched, beside those who do not."""

STORMED = Persona(name="stormed", talk=Uniform(8.0, 16.0), storm=5.0)
"""Loses his socket together with all others, whether he waits or talks."""

VANISHING = Persona(
    name="vanisher", talk=Uniform(20.0, 26.0), vanishing=Vanishing(share=0.4, waiting=0.4), looks_back=True
)
"""Some go without a word; the others talk for long enough to show whether they are told."""

INNOCENT = Persona(name="innocent", talk=Uniform(2.0, 4.0))
"""Looks for anybody, beside a flood."""

FLOODING = Persona(name="flooder", flood=Flood(lasts=Uniform(8.0, 16.0), streams=2, pace=0.2))
"""Joins ten times a second, whatever he is answered."""

BEFRIENDED = Persona(name="buddy", mode="buddies_first", talk=Uniform(2.0, 4.0), friends=3, rounds=2)
"""Makes friends with some who came shortly before him, and asks for buddies first."""

POLLING = Persona(name="poll_only", hears="poll")
"""Learns of his match by poll alone."""

PUSHED = Persona(name="push_only", hears="push")
"""Subscribes before he joins, and learns of his match by push alone."""
