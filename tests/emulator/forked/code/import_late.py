import late


def handler(_event, _context):
    return late.VALUE
