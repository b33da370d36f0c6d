"""`python -m tools.redrive list | show ID | put-back ID…` invokes OutboxRedriveFunction.

Only the function needs access to Kafka and Postgres. The command needs only the permission to invoke it.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Messages that a consumer or the broker rejected.")
Ids = Annotated[list[str], typer.Argument(help="dlq.payment/0/17, as `list` prints them")]
Reason = Annotated[str, typer.Option(help="Only dead letters whose reason contains this text")]
Type = Annotated[str, typer.Option("--type", help="Only dead letters of this message type")]
Limit = Annotated[int, typer.Option(help="Most dead letters to list or put back")]
FAILED = ("is not there", "cannot be put back")  # the function's outcomes that begin like this are failures


@app.callback()
def connect(
    context: typer.Context,
    function: Annotated[str, typer.Option(envvar="REDRIVE_FUNCTION", help="Function name")] = "OutboxRedriveFunction",
    local: Annotated[bool, typer.Option("--local", help="Use the stack that `make up` started")] = False,
) -> None:
    stack = _stack() if local else {}
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "local"} if local else {}
    config = Config(read_timeout=60, retries={"total_max_attempts": 1})
    client = boto3.client("lambda", endpoint_url=stack.get("lambda"), config=config, **keys)

    def invoke(**request: Any) -> dict[str, Any]:
        response = client.invoke(FunctionName=function, Payload=json.dumps(request))
        payload: dict[str, Any] = json.loads(response["Payload"].read())
        if response.get("FunctionError"):
            raise SystemExit(f"{function}: {payload.get('errorMessage', payload)}")
        return payload

    context.obj = invoke


def _stack() -> dict[str, Any]:
    try:
        stack: dict[str, Any] = json.loads(Path(".local/stack.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SystemExit("no stack is running here: start it with `make up`") from None
    return stack


@app.command("list")
def list_(context: typer.Context, reason: Reason = "", event_type: Type = "", limit: Limit = 100) -> None:
    """List the dead letters, oldest first: id, time, topic, type, consumer, time of put-back, reason."""
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
    """Show dead letters in full: headers and the original message."""
    letters = context.obj(action="show", ids=ids)["letters"]
    typer.echo(json.dumps(letters, indent=2, ensure_ascii=False))
    if missing := set(ids) - {letter["id"] for letter in letters}:
        raise SystemExit(f"not found: {', '.join(sorted(missing))}")


@app.command("put-back")
def put_back(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="dlq.payment/0/17, as `list` prints them")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that match and were not put back yet")] = False,
    reason: Reason = "",
    event_type: Type = "",
    limit: Limit = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done")] = False,
) -> None:
    """Put dead letters back on their topics. A dead letter is put back once, even if requested twice."""
    if bool(ids) == all_:
        raise typer.BadParameter("give the ids of dead letters, or --all")
    outcomes = context.obj(
        action="put-back", ids=ids or [], reason=reason, eventType=event_type, limit=limit, dryRun=dry_run
    )["outcomes"]
    for id_, outcome in outcomes.items():
        typer.echo(f"{id_}  {outcome}")
    if not outcomes:
        typer.echo("no dead letter matches")
    if any(outcome.startswith(FAILED) for outcome in outcomes.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
