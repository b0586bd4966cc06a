"""A small company's pages, as extraction gives them."""

import pytest

from ozfig.types import Document

STORAGE = """# Winter storage

Boats stay ashore from 1 October to 31 March. The yard has room for 95 of them.

## Prices

*Prices by length*

| Length of boat | Price per season |
| --- | --- |
| Up to 6 m | $410 |
| Over 6 m, up to 9 m | $620 |

| Item | Price |
| --- | --- |
| Steel cradle | $140 |
| Crab sandwich | $11.50 |

## Is there power ashore?

Yes, at **every** place. See the [price list](prices.html) for the rate.

## How we lift

We lift with a travel hoist. A boat of more than 30 tonnes uses the dry dock.

## Before you lift

- Take down the mast
- Empty the water tank, the fuel tank and the lockers.
"""
GLOSSARY = """# Words of the yard

**Hoist day**
: A hoist day is a day on which six or more boats are lifted.

**Cold Corner**
: Cold Corner is the end of the yard nearest to the river.

**Fittings**
: Fittings are parts that are fixed to a hull or a spar.

Q: May I bring my dog to the yard?
A: Yes, on a lead. Dogs stay out of the paint shop.
"""


@pytest.fixture
def documents() -> list[Document]:
    return [
        Document.make("http://yard.example/winter.html", "Winter storage", STORAGE),
        Document.make("http://yard.example/words.html", "Words of the yard", GLOSSARY),
    ]
