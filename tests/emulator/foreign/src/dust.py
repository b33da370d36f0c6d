def handler(event, context):
    print("dusting with", event["brush"])
