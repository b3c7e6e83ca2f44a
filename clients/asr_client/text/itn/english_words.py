"""Words around English numbers that say what a number is, and phrases whose numbers stay words."""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


MONTHS = _set(
    "january february march april may june july august september october november december"
)
# Also verbs: "you may first", "march second in line".
VERB_MONTHS = frozenset(["may", "march"])
BEFORE_MONTH = _set("on in since by until till of from before after for to and this")

# Before two numbers these make them a time, a year, one number, or a price.
TIME_BEFORE = frozenset(["at", "until", "till"])
# In an address, behind the street's name: "at one twenty three main street".
STREETS = _set("street avenue road lane drive boulevard court terrace highway parkway crescent")
YEAR_BEFORE = _set("in since year years from late early mid summer winter spring autumn fall")
NUMBER_BEFORE = _set(
    "number room flight route highway bus page error code extension ext gate interstate boeing "
    "area zip pin apartment suite unit channel psalm dial call is"
)
PRICE_BEFORE = _set("cost costs costing price priced pay paid for only just be")
# Behind a number in two parts it may be a price: "two eighty a gallon".
PRICE_BEHIND = _set("a an each per apiece")
PRICE_ENDS = (95, 98, 99)
# What these are is no number of something: "he is five eleven", "it is ten fifteen".
NOT_NUMBERED = _set("it time he she who") | {"it's", "he's", "she's"}

# Between two numbers that are written alike.
CONNECTORS = _set("to or plus minus times")
# Behind a number these make it a vague one: "twenty something".
VAGUE_BEHIND = _set("something odd ish")
# Behind a number and before another these make both one amount: "five foot eleven".
SHARED_UNITS = _set("foot feet pound pounds dollar dollars euro euros buck bucks quid")
# Behind "and" these are a part of the number before it: "ten and a half".
PARTS = _set(
    "half quarter third fourth fifth sixth seventh eighth ninth tenth "
    "quarters thirds fourths fifths sixths sevenths eighths ninths tenths"
)
# "At this point five people", but "by point five percent".
POINT_OF = _set("this that the which what some any every each")
POINT_BEHIND = _set(
    "by of about around only just than under over below above nearly almost roughly is was are "
    "were to from at least up down"
)
DEGREES = _set("degrees degree celsius fahrenheit")

# Expressions and titles, also what looks like a time or a score and may be a range.
NOT_NUMBERS = (
    "forty winks",
    "eleventh hour",
    "twenty twenty vision",
    "twenty twenty hindsight",
    "one hundred and one dalmatians",
    "ten to one",
    "nine to five",
    "hundred and ten percent",
    "ten four",
    "ten out of ten",
    "hang ten",
    "top ten",
    "big ten",
    "twenty questions",
    "twelfth night",
    "ten commandments",
    "twelve angry men",
    "twelve monkeys",
    "wild thirteen",
    "forty niners",
    "forty niner",
)
# Not pounds, which are a weight as well.
CURRENCIES = {"dollar": "$", "dollars": "$", "euro": "€", "euros": "€"}
