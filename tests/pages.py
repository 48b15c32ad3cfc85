"""What is in an HTML page, as a browser reads it."""

from html.parser import HTMLParser

__all__ = ["TAGS", "elements"]

# What our pages are made of: any other tag, or attribute, has come in with somebody's name.
TAGS = {
    *("a", "b", "body", "code", "details", "div", "figcaption", "figure", "h1", "h2", "html"),
    *("img", "li", "meta", "p", "span", "style", "summary", "table", "td", "th", "title", "tr"),
    "ul",
}
ATTRIBUTES = {"alt", "charset", "class", "content", "href", "id", "lang", "name", "src"}


def elements(page: str) -> set[str]:
    """Tags of a page, and attributes that it should not have."""
    found: set[str] = set()

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.add(tag)
            found.update(name for name, _ in attrs if name not in ATTRIBUTES)

    Parser().feed(page)
    return found
