"""`python -m tools.redrive list | show ID | put-back ID…` asks OutboxRedriveFunction, which reaches Kafka and Postgres.

Whoever may invoke the function may use this; no password and no network of the stack's is needed.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Messages that no consumer, or no broker, took.")
Ids = Annotated[list[str], typer.Argument(help="dlq.payment/0/17, as `list` prints them")]
Reason = Annotated[str, typer.Option(help="Only those whose reason contains this")]
Type = Annotated[str, typer.Option("--type", help="Only those of this event type")]
Limit = Annotated[int, typer.Option(help="No more than so many")]
FAILED = ("is not there", "cannot be put back")  # how the function's outcomes of these begin


@app.callback()
def where(
    context: typer.Context,
    function: Annotated[str, typer.Option(envvar="REDRIVE_FUNCTION", help="Its name")] = "OutboxRedriveFunction",
    local: Annotated[bool, typer.Option("--local", help="The stack that `make up` started")] = False,
) -> None:
    stack = _stack() if local else {}
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "local"} if local else {}
    config = Config(read_timeout=60, retries={"total_max_attempts": 1})
    client = boto3.client("lambda", endpoint_url=stack.get("lambda"), config=config, **keys)

    def ask(**asked: Any) -> dict[str, Any]:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(asked))
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise SystemExit(f"{function}: {payload.get('errorMessage', payload)}")
        return payload

    context.obj = ask


def _stack() -> dict[str, Any]:
    try:
        stack: dict[str, Any] = json.loads(Path(".local/stack.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SystemExit("nothing is running here: start it with `make up`") from None
    return stack


@app.command("list")
def list_(context: typer.Context, reason: Reason = "", event_type: Type = "", limit: Limit = 100) -> None:
    """What is on the dead-letter topics, oldest first: id, time, topic, type, consumer, put back or not, reason."""
    letters = context.obj(action="list", reason=reason, eventType=event_type, limit=limit)["letters"]
    lines = [
        (
            letter["id"],
            letter["at"][:19],
            letter["topic"],
            letter["eventType"] or "?",
            letter["consumer"] or "(relay)",
            f"put back {letter['putBackAt'][:19]}" if letter["putBackAt"] else "",
            letter["reason"],
        )
        for letter in letters
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    typer.echo(f"{len(letters)} dead letters")


@app.command()
def show(context: typer.Context, ids: Ids) -> None:
    """A letter whole: its headers and the message as it was."""
    letters = context.obj(action="show", ids=ids)["letters"]
    typer.echo(json.dumps(letters, indent=2, ensure_ascii=False))
    if missing := set(ids) - {letter["id"] for letter in letters}:
        raise SystemExit(f"not there: {', '.join(sorted(missing))}")


@app.command("put-back")
def put_back(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="dlq.payment/0/17, as `list` prints them")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that fit and were not put back yet")] = False,
    reason: Reason = "",
    event_type: Type = "",
    limit: Limit = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done")] = False,
) -> None:
    """Send messages to their topics again. Asked twice it happens once."""
    if bool(ids) == all_:
        raise typer.BadParameter("name letters, or say --all")
    outcomes = context.obj(
        action="put-back", ids=ids or [], reason=reason, eventType=event_type, limit=limit, dryRun=dry_run
    )["outcomes"]
    for id_, outcome in outcomes.items():
        typer.echo(f"{id_}  {outcome}")
    if not outcomes:
        typer.echo("no letter fits")
    if any(outcome.startswith(FAILED) for outcome in outcomes.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
