"""English words and templates; words that sound like a number word (to, for, ate) stay out."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "open": "open close start stop check",
    "play": "play pause save send delete find",
    "device": "door window light phone computer television radio camera",
    "thing": "music message email meeting report picture movie news song",
    "goods": "water coffee tea milk bread rice apple banana orange book",
    "place": "school office station airport hotel hospital restaurant library park bank",
    "city": "london paris beijing shanghai tokyo boston chicago",
    "person": "john mary peter anna david lisa tom",
    "who": "i you we they",
    "day": "today tomorrow yesterday monday tuesday wednesday thursday friday saturday sunday",
    "part": "morning afternoon evening now",
    "verb": "want need like have know understand",
    "adjective": "good big small fast new cold hot beautiful expensive happy",
    "vehicle": "train bus car plane taxi",
    "question": "what where when who why how",
    "greeting": "hello please thanks goodbye yes welcome sorry",
    "unit": "dollars minutes hours kilometers degrees percent people days",
    "other": "the a my your is are not very and or in at from with it this that because then "
    "weather question answer number name time speech recognition model service",
}
TEMPLATES: tuple[str, ...] = (
    "please {open} the {device} .",
    "{open} the {device} now .",
    "{play} the {thing} .",
    "please {play} my {thing} .",
    "what is the weather in {city} {day} ?",
    "how is the weather in {city} ?",
    "where is the {place} ?",
    "when is the {thing} ?",
    "who is {person} ?",
    "why is {person} not in the {place} ?",
    "{person} is in the {place} .",
    "{person} is from {city} .",
    "{person} and {person} are in {city} {day} .",
    "the meeting is {day} {part} at {small} .",
    "{who} {verb} {number} {goods} .",
    "{who} {verb} the {thing} .",
    "the {goods} is {number} dollars .",
    "my phone number is {digits} .",
    "the number is {digits} .",
    "how many {goods} {verb} you ?",
    "the {vehicle} is in {number} minutes .",
    "the {vehicle} from {city} is very {adjective} .",
    "it is {number} degrees in {city} .",
    "it is very {adjective} {day} {part} .",
    "this is a {adjective} {device} .",
    "{greeting} , my name is {person} .",
    "{greeting} , where is the {thing} ?",
    "{who} {verb} {goods} and {goods} .",
    "your number is {digits} , thanks .",
    "is the {place} {adjective} ?",
    "it is {number} {unit} .",
)
COMMA, FULL_STOP = ",", "."
_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
ONES = tuple(_NUMBERS.split())
TENS = ("", "", *_TENS.split())


def digit(value: int) -> tuple[str, str]:
    """One digit as (text, sound)."""
    return ONES[value], ONES[value]


def number(value: int) -> list[tuple[str, str]]:
    """A number below a million, American style without "and"."""
    names: list[str] = []
    thousands, rest = divmod(value, 1000)
    if thousands:
        names += [*_below_thousand(thousands), "thousand"]
    if rest or not thousands:
        names += _below_thousand(rest)
    return [(name, name) for name in names]


def _below_thousand(value: int) -> list[str]:
    names: list[str] = []
    hundreds, rest = divmod(value, 100)
    if hundreds:
        names += [ONES[hundreds], "hundred"]
    if rest >= 20:
        names.append(TENS[rest // 10])
        rest %= 10
        if rest:
            names.append(ONES[rest])
    elif rest or not hundreds:
        names.append(ONES[rest])
    return names
