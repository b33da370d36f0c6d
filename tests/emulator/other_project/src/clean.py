def handler(event, context):
    print("cleaning with", event["brush"])
