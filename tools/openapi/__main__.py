"""Writes the document anew. A test compares it with what is committed."""

from tools.openapi.document import PATH, document, text
from tools.openapi.routes import routes


def main() -> None:
    found = routes()
    PATH.write_text(text(document(found)), encoding="utf-8")
    print(f"{PATH}: {len(found)} operations")


if __name__ == "__main__":
    main()
