"""A page of a list, the form of every list in the API (`docs/api.md`)."""

from typing import Generic, TypeVar

from common.domain.model import Model

ItemT = TypeVar("ItemT", bound=Model)


class Page(Model, Generic[ItemT]):
    """`page` counts from 0; `total` counts the items of all pages."""

    items: list[ItemT]
    page: int
    size: int
    total: int
