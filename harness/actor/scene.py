"""What all users of a run share: where they are recorded, how they behave, and when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.actor.circle import Circle
from harness.actor.doorway import Doorway
from harness.actor.journey import Report, unreported
from harness.actor.persona import Persona
from harness.actor.population import Population
from harness.actor.quiet import QuietTime
from harness.actor.storm import Storm
from harness.client.participant import Transport
from harness.history.recorder import Recorder
from harness.peer.ports import Network


@dataclass(frozen=True)
class Scene:
    """The way to the target, the history, the persona that everybody plays, and the network that peers live on."""

    transport: Transport
    recorder: Recorder
    persona: Persona
    network: Network
    quiet: QuietTime = field(default_factory=QuietTime)
    report: Report = unreported
    mixed: bool = False
    """Whether personas are mixed; then the history tells what each user plays."""
    circle: Circle = field(default_factory=Circle)
    """Who may be befriended."""
    doorway: Doorway = field(default_factory=Doorway)
    """When somebody joins."""
    storm: Storm = field(default_factory=Storm)
    """What cuts off many at once."""
    population: Population | None = None
    """Where users with a NAT of their own live; then peers are placed there, and not on `network`."""
