"""The `gurukul` command: its verbs and their options. What a verb does stands in the module of its name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import options
from harness.cli.require import spread
from harness.cli.running import Exit, guarded, run, say
from harness.cli.streams import make_ready, put, unwritten
from harness.errors import Trouble

app = typer.Typer(
    name="gurukul",
    help="Load-testing and conformance harness for a matchmaking and WebRTC signalling stack.\n\n"
    "Exit status of every verb that judges: 0 valid, 1 invalid (the target is wrong), 2 unknown "
    "(not enough evidence, or interrupted), 3 trouble of our own.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="The short form, about three minutes.")] = False,
    require: options.Require = None,
    seed: options.Seed = options.DEFAULT_SEED,
    database_url: options.DatabaseUrl = "",
    results: options.Results = options.DEFAULT_RESULTS,
    json: options.Json = "",
    html: options.Html = None,
    verbose: options.Verbose = 0,
) -> int:
    """Measure both engines, side by side: conformance, swarm and peers. This is the main job.

    Exit status: 0 hardened is valid and documented fails as expected, 1 hardened is invalid or breaks a threshold of
    --require, 2 too little contention to say, 3 trouble of our own.
    """
    from harness.cli.bench import bench as verb

    return run(verb(quick, seed, database_url, results, json, html, verbose, require or ()))


@app.command()
def serve(
    engine: Annotated[str, typer.Option(help="The matchmaking engine: documented or hardened.")] = "hardened",
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at; 0 takes a free one.")] = 54321,
    database_url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="An empty PostgreSQL database (15 or newer), or one that this engine made before. "
            "Without it an embedded one is started, which is gone at the end.",
        ),
    ] = "",
    queue_ttl: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="How long a queue entry lives (default 120).")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the port and the database.")] = 1,
    plan: Annotated[
        str, typer.Option(metavar="none|free|pro|team", help="Whose ceilings hold: connections, messages and joins.")
    ] = "none",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting of the server, as often as needed: --set join_rate_limit=0. "
            "They are listed by: python -m reference_server --help",
        ),
    ] = None,
    mutant: Annotated[
        str, typer.Option(metavar="ID|FILE", help="Build one fault in: M01 (docs/mutants.md), or a mutant's file.")
    ] = "",
    write_target: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", callback=options.writable, help="Write the target file that the other verbs take."
        ),
    ] = None,
    verbose: options.Verbose = 0,
) -> int:
    """Run the reference server until Ctrl-C. It tells Prometheus how it does at /metrics (docs/operation.md)."""
    from harness.cli.serve import serve as verb

    chosen = {"host": host, "port": port, "workers": workers, "plan": plan}
    return run(
        verb(engine, chosen, settings or [], database_url, queue_ttl, mutant, write_target, verbose),
        interrupted=Exit.VALID,
    )


@app.command()
def conform(
    targets: options.TargetsArgument,
    k: Annotated[
        str | None,
        typer.Option(
            "-k", metavar="EXPR", callback=options.readable_choice, help="Choose requirements: -k 'MM-S1 or MM-L2'."
        ),
    ] = None,
    time: Annotated[
        str, typer.Option(metavar="scaled|real", help="Short or real waits; built-in targets: scaled unless said.")
    ] = "",
    database_url: options.DatabaseUrl = "",
    results: options.Results = options.DEFAULT_RESULTS,
    json: options.Json = "",
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", callback=options.writable, help="Write a JUnit report.")
    ] = None,
    html: options.Html = None,
    verbose: options.Verbose = 0,
) -> int:
    """Test which requirements a target meets, one by one, each failure with a witness; several stand side by side.

    Exit status: 0 conformant or partial, 1 a requirement is broken, 2 unknown, 3 trouble of our own; the worst of all.
    """
    from harness.cli.conform import conform as verb

    return run(verb(targets, k or "", time, database_url, results, json, junit, html, verbose))


@app.command()
def swarm(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="What users do: buddies, burst, joins, poll_only, push_only, queue_churn, reconnect_storm, "
            "search_and_chat, soak, spam or vanishing (docs/swarms.md).",
        ),
    ],
    targets: options.TargetsArgument,
    arrivals: Annotated[
        str,
        typer.Option(
            metavar="SCHEDULE",
            help="How users come, open: constant, poisson, burst, ramp, step, spike or trace, for example "
            "ramp:1..50/s@60s (docs/swarms.md). Without it as the scenario says, else poisson.",
        ),
    ] = "",
    closed: Annotated[
        int | None,
        typer.Option(min=1, metavar="USERS", help="So many users at once, and the next when one is through; not open."),
    ] = None,
    users: Annotated[
        int | None, typer.Option(min=1, help="At most so many arrive; 200 where nothing else ends the arrivals.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.001, help="Users per second, where the schedule names no rate: 20 unless said."),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="Nobody is due after so many seconds.")
    ] = None,
    at_once: options.AtOnce = None,
    talk: Annotated[
        str, typer.Option(metavar="MIN:MAX", help="Seconds from the match to hanging up; as the scenario says.")
    ] = "",
    patience: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="Who is not matched by then leaves.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="How often a user searches, at most; as the scenario says.")
    ] = None,
    peer_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the sessions with real WebRTC peers; the scenario's.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Load generators, about one for each core to spare.")] = 1,
    find_ceiling: options.FindCeiling = False,
    time: Annotated[
        str, typer.Option(metavar="scaled|real", help="Short or real waits of a built-in target: real unless said.")
    ] = "",
    require: options.Require = None,
    seed: options.Seed = options.DEFAULT_SEED,
    database_url: options.DatabaseUrl = "",
    results: options.Results = options.DEFAULT_RESULTS,
    json: options.Json = "",
    html: options.Html = None,
    verbose: options.Verbose = 0,
) -> int:
    """Send many users through a target, arriving when they are due, and judge what they saw.

    Several targets are measured one after the other, each alone on the machine, and stand side by side in one report.
    Exit status: 0 valid, and every threshold of --require holds; 1 invalid, or a threshold is broken; 2 unknown (too
    little was seen, the run was interrupted, the target stopped answering, or the generator could not keep up);
    3 trouble of our own; the worst of all targets.
    """
    from harness.cli.ceiling import FEWEST, FIRST
    from harness.cli.ceiling import find_ceiling as climb
    from harness.cli.swarm import loop_for, planned
    from harness.cli.swarm import swarm as verb

    if find_ceiling:
        if closed is not None:
            remedy = "a ceiling is looked for with users who come when they are due: leave one of them out"
            raise Trouble(f"--find-ceiling and --closed {closed} exclude each other", remedy)
        arrivals, users = arrivals or "constant", users or FEWEST
    plan = planned(
        scenario, users, arrivals=arrivals, closed=closed, rate=rate or (FIRST if find_ceiling else 20.0),
        duration=duration, seed=seed, at_once=at_once, talk=talk, patience=patience, rounds=rounds,
        processes=processes, peer_share=peer_share,
    )  # fmt: skip
    if find_ceiling:
        return run(climb(plan, targets, database_url, results, json, html, verbose, require or ()), loop=loop_for(plan))
    return run(
        verb(plan, targets, time, database_url, results, json, html, verbose, require or ()), loop=loop_for(plan)
    )


@app.command()
def peers(
    target: options.TargetArgument,
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs.")] = 24,
    network: Annotated[
        str, typer.Option(metavar="loopback|vnet|netns", help="Where the peers live: docs/peers.md.")
    ] = "loopback",
    nat_mix: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE", help="What the users' NATs are drawn from: design-doc unless said, or FILE.toml."
        ),
    ] = "",
    turn: Annotated[
        list[str] | None,
        typer.Option(metavar="ARM[,ARM...]", help="none, udp, tcp or tls; several arms are interleaved."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Pairs at the same time; by the network unless said.")
    ] = None,
    handshake: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="How long a peer tries to connect.")
    ] = None,
    require: options.Require = None,
    seed: options.Seed = options.DEFAULT_SEED,
    database_url: options.DatabaseUrl = "",
    results: options.Results = options.DEFAULT_RESULTS,
    json: options.Json = "",
    html: options.Html = None,
    verbose: options.Verbose = 0,
) -> int:
    """Send pairs of users through a target, each to make a real WebRTC connection across a network."""
    from harness.actor.peers_plan import PeersPlan
    from harness.cli.peers import loop_for
    from harness.cli.peers import peers as verb

    arms = tuple(arm.strip() for given in turn or () for arm in given.split(","))
    plan = PeersPlan(pairs, network, nat_mix, arms, concurrency, handshake, seed)
    return run(verb(plan, target, database_url, results, json, html, verbose, require or ()), loop=loop_for(network))


@app.command()
def mutants(
    source: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Mutants of your own (docs/adding-a-mutant.md).")
    ] = None,
    k: Annotated[
        str | None,
        typer.Option(
            "-k", metavar="EXPR", callback=options.some_choice, help="Choose mutants: -k 'M01 or M02 or lock'."
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="The whole suite on each, not only what it names.")] = False,
    trials: Annotated[int, typer.Option(min=1, help="How often a racing mutant is tried.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Servers that are tested at the same time.")] = 3,
    database_url: options.DatabaseUrl = "",
    results: options.Results = options.DEFAULT_RESULTS,
    json: options.Json = "",
    html: options.Html = None,
    verbose: options.Verbose = 0,
) -> int:
    """Test the suite itself: every mutant must go red where it says, and no lawful variant anywhere.

    Exit status: 0 so it is, 1 a mutant survives or a lawful variant is red, 2 interrupted, 3 one could not be tested.
    """
    from harness.cli.mutants import mutants as verb

    return run(
        verb(
            source, k or "", full=full, trials=trials, jobs=jobs, database_url=database_url,
            results=results, json=json, html=html, verbose=verbose,
        )
    )  # fmt: skip


@app.command()
def judge(
    history: Annotated[
        list[Path],
        typer.Argument(metavar="HISTORY...", help="A history.ndjson, a run's folder, or several that belong together."),
    ],
    target: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judge by this target file, and not by the terms of the run.")
    ] = None,
    json: options.Json = "",
    verbose: options.Verbose = 0,
) -> int:
    """Judge a stored history again, offline, by the budgets of its run.

    One that was cut off is unknown: its last line is torn, or it holds less than its run.json counts.

    Several journals (of several machines, say, each with its clock in its first line) are judged as one history.
    """
    from harness.cli.judge import judge as verb

    return verb(history, json, verbose, target)


@app.command()
def report(
    stored: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or its run.json.")],
    html: options.Html = None,
) -> int:
    """Show a stored run, as tables and as one self-contained page."""
    from harness.cli.report import report as verb

    return verb(stored, html)


@app.command()
def compare(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="The run that is compared with: folder or run.json.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The run that is compared.")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", metavar="worse|better|unknown", help="Exit with 1 where the verdict is this."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, metavar="SHARE", help="A time or rate that moved by less is no difference.")
    ] = 0.25,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="NAME", help="What need not match: cpu, kernel, … (docs/comparing.md)."),
    ] = None,
    json: options.Json = "",
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=options.writable, help="Write it as Markdown, for a comment."),
    ] = None,
) -> int:
    """Compare two stored runs: each figure better, worse, or no difference, with the interval that says so.

    Exit status: 0, or 1 for what --fail-on names, 2 where nothing could be compared, 3 for runs that must not be.
    """
    from harness.cli.compare import compared

    return compared(
        base, new, fail_on=fail_on or (), tolerance=tolerance, ignore=ignore or (), json=json, markdown=markdown
    )


@app.command()
def claims(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID", help="Test these claims alone: --only lock-hold.")
    ] = None,
    stored: Annotated[
        Path | None, typer.Option("--from", metavar="RUN", help="Show a stored run of claims; measure nothing.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The short form, with fewer trials.")] = False,
    seed: options.Seed = options.DEFAULT_SEED,
    database_url: options.DatabaseUrl = "",
    results: options.Results = options.DEFAULT_RESULTS,
    json: options.Json = "",
    html: options.Html = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", callback=options.writable, help="Write the table as Markdown, as results/claims.md is."
        ),
    ] = None,
    verbose: options.Verbose = 0,
) -> int:
    """Test the design document's own figures and promises, one by one, on both engines.

    Exit status: 0 every experiment could be made (whatever became of the claims), 2 some could not, or interrupted,
    3 trouble of our own.
    """
    from harness.cli.claims.command import again
    from harness.cli.claims.command import claims as verb

    if stored is not None:
        return again(stored, json=json, html=html, markdown=markdown)
    return run(
        verb(
            only or (), quick=quick, seed=seed, database_url=database_url, results=results,
            json=json, html=html, markdown=markdown, verbose=verbose,
        )
    )  # fmt: skip


@app.command()
def export(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="A run; for otava also several, a history.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT", help="github-benchmark, bencher, otava, openmetrics, junit, markdown or badge."
        ),
    ],
    better: Annotated[
        str,
        typer.Option(metavar="smaller|bigger", help="Which figures github-benchmark gets: its tool takes one sort."),
    ] = "smaller",
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            callback=options.writable_json,
            help="Where to; standard output unless said.",
        ),
    ] = "",
) -> int:
    """Write stored runs in the format of another tool; figures that are void are left out."""
    from harness.cli.export import export as verb

    return verb(runs, to, better, output)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments

    def verb() -> int:
        try:
            return int(app(args=spread(given) or ["--help"], prog_name="gurukul", standalone_mode=False) or 0)
        except typer.TyperException as error:  # an unknown verb or option, a value out of range
            where = getattr(error, "ctx", None)
            verb_of = where.command_path if where is not None else "gurukul"
            say(f"error: {error.format_message().rstrip('.')}: see {verb_of} --help")
            return Exit.TROUBLE
        except OSError:  # as a rule typer's own writing, of help: what it left unwritten fails again
            put("")
            raise
        except SystemExit as left:  # what typer makes of a broken pipe, with status 1
            if isinstance(left.__context__, BrokenPipeError):
                raise unwritten(left.__context__) from None
            raise

    return guarded(verb)


def entry() -> None:
    """The console script."""
    make_ready()
    sys.exit(main())
