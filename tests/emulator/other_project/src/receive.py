import base64


def handler(event, context):
    if "clock" in event:
        print("the clock", event["clock"])
    for records in event.get("records", {}).values():
        print("returned:", *(base64.b64decode(record["value"]).decode() for record in records))
