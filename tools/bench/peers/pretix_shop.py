"""Run by pretix' own interpreter: creates events with one free product each. `pretix_shop.py SLUG=SEATS…`.

Prints a line `SLUG PRODUCT-ID` for each.
"""

import sys
from datetime import timedelta

import django

django.setup()

from django.utils.timezone import now  # noqa: E402
from django_scopes import scopes_disabled  # noqa: E402
from pretix.base.models import Organizer  # noqa: E402

with scopes_disabled():
    organizer, _ = Organizer.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    for argument in sys.argv[1:]:
        slug, seats = argument.split("=")
        event = organizer.events.create(
            name="Concert", slug=slug, currency="KRW", date_from=now() + timedelta(days=30), live=True, plugins=""
        )
        event.set_defaults()
        event.settings.set("attendee_names_asked", False)
        product = event.items.create(name="Seat", default_price=0, admission=True, active=True)
        event.quotas.create(name="Seats", size=int(seats)).items.add(product)
        print(slug, product.pk)
