def spine(shelf, title):
    return f"{shelf.upper()}: {title}"
