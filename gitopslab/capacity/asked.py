"""What answers queries by name, as capacity sees it: an open warehouse, without importing it."""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd


class Rows(Protocol):
    """What a query returned."""

    def dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary a row."""
        ...

    def pandas(self) -> "pd.DataFrame":
        """Return a frame."""
        ...


class Asked(Protocol):
    """What runs queries by name: an open warehouse."""

    def run(self, name: str, **parameters: Any) -> Rows:
        """Run the query called `name`."""
        ...
