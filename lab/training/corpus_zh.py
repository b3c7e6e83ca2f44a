"""Mandarin sentences with pinyin: numbers, dates, commands, questions, names, random words."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

from pypinyin import Style, lazy_pinyin

from . import lexicon_zh as lexicon
from .chinese_numbers import DIGITS, integer_characters
from .sentence import Sentence, SentenceWord, number_words, plain_word

TEMPLATES: tuple[str, ...] = (
    "请 {open} {room} 的 {device} 。",
    "{open} {device} 。",
    "帮 我 {open} {device} 。",
    "{day} {part} {city} 的 天气 怎么样 ？",
    "{city} {day} 会 {weather} 吗 ？",
    "{city} 现在 的 温度 是 {number} 度 。",
    "{day} {part} {clock} 开会 。",
    "请 {media} {thing} 。",
    "{media} 我 的 {thing} 。",
    "帮 我 把 {thing} 发送 给 {name} 。",
    "给 {name} 打电话 。",
    "打电话 给 {who} ， 号码 是 {phone} 。",
    "我 的 电话 号码 是 {phone} 。",
    "{name} 的 手机 号码 是 多少 ？",
    "{name} 在 {company} 工作 。",
    "{name} 是 {company} 的 {title} 。",
    "{company} 的 {topic} {degree} {adjective} 。",
    "{who} 在 {place} {action} 。",
    "{who} 为什么 不 {action} ？",
    "{who} 什么 时候 去 {city} ？",
    "{who} 是不是 在 {place} ？",
    "{who} 要 去 {place} 吗 ？",
    "{who} 怎么 去 {place} ？",
    "谁 {verb} {topic} ？",
    "你 知道 {topic} 是 什么 吗 ？",
    "哪 {counter} {thing} 是 {who} 的 ？",
    "{who} {verb} {goods} 和 {goods} 。",
    "{goods} 多少 钱 一 公斤 ？",
    "{goods} 的 价格 是 {amount} 。",
    "这 个 {goods} {amount} ， {degree} {adjective} 。",
    "一共 {amount} ， 请 付款 。",
    "我 买 了 {measure} {goods} ， {amount} 。",
    "从 {city} 到 {city} 有 {number} 公里 。",
    "{who} 从 {place} 到 {place} 要 几 分钟 ？",
    "去 {city} 的 {vehicle} {clock} 出发 。",
    "{vehicle} {part} {clock} 到 {city} 。",
    "会议 {clock} 开始 ， {clock} 结束 。",
    "{date} 我们 在 {place} 开会 。",
    "今天 是 {date} 。",
    "{who} 的 生日 是 {date} 吗 ？",
    "{date} {week} ， {weather} 。",
    "提醒 我 {day} {clock} {action} 。",
    "设置 {clock} 的 闹钟 。",
    "闹钟 {number} 分钟 后 提醒 我 。",
    "{device} 的 声音 调 高 {small} 度 。",
    "把 温度 调 低 {small} 度 。",
    "{topic} 准备 了 {percent} 。",
    "价格 比 去年 高 了 {percent} 。",
    "{city} 今天 最 高 {number} 度 ， 最 低 {negative} 度 。",
    "{who} 今年 {number} 岁 。",
    "{who} 在 {ordinal} 层 。",
    "这 是 {ordinal} 次 {action} 。",
    "请 看 {ordinal} 个 {topic} 。",
    "{greeting} ， {name} {title} 。",
    "{greeting} ， 我 是 {company} 的 {name} 。",
    "{who} {degree} {adjective} ， 我 也 {degree} {adjective} 。",
    "因为 {weather} ， 所以 {who} 没有 {action} 。",
    "如果 {day} {weather} ， 我们 就 不 去 {place} 。",
    "{who} 已经 {verb} 了 {topic} ， 但是 没有 {verb} {topic} 。",
    "我们 应该 一起 {verb} {topic} 。",
    "{people} 每天 {part} {clock} {action} 。",
    "我 想 买 {measure} {goods} 。",
    "房间 号码 是 {digits} 。",
    "订单 号码 {digits} 。",
    "{name} 住 在 {city} {number} 号 。",
    "{device} 重 {decimal} 千克 。",
    "{who} 跑 了 {decimal} 公里 ， 用 了 {number} 分钟 。",
    "水 的 温度 是 {decimal} 度 。",
    "现在 几 点 了 ？",
    "现在 是 {day} {clock} 。",
    "{company} 在 {city} 有 {number} 个 {people} 。",
    "{who} 喜欢 {verb2} {topic} 还是 {action} 呢 ？",
)
"""Slots in braces; words are separated by spaces so that pinyin follows the word."""


@cache
def pinyin(word: str) -> str:
    """Pinyin with tone digits, syllables separated by spaces ("bei3 jing1")."""
    if word in lexicon.PINYIN_OVERRIDES:
        return lexicon.PINYIN_OVERRIDES[word]
    return " ".join(lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True))


def zh_words(text: str) -> list[SentenceWord]:
    """Space-separated Mandarin words and punctuation as `SentenceWord`."""
    return [
        plain_word(part, {"，": ",", "、": ",", "。": ".", "？": "?"}.get(part) or pinyin(part))
        for part in text.split()
    ]


def number(characters: str, written: str) -> list[SentenceWord]:
    """A spoken number, each character a word, with its written form."""
    return number_words([(c, pinyin(c)) for c in characters], written)


def random_integer(rng: random.Random) -> int:
    """An integer of one to nine digits; small ones are more frequent, some are round."""
    size = rng.choices((1, 2, 3, 4, 5, 6, 8, 9), (6, 10, 8, 6, 3, 2, 1, 1))[0]
    value = rng.randrange(10 ** (size - 1), 10**size)
    if size > 2 and rng.random() < 0.4:
        step = 10 ** rng.randrange(1, size)
        value = value // step * step
    return value


class MandarinGrammar:
    """Draws sentences; every method takes its randomness from the given generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        choose = rng.choice
        self._slots: dict[str, Callable[[], list[SentenceWord]]] = {
            "number": self.integer,
            "small": lambda: number(DIGITS[d := rng.randrange(1, 10)], str(d)),
            "negative": self._negative,
            "percent": self._percent,
            "decimal": self.decimal,
            "ordinal": self._ordinal,
            "amount": self.amount,
            "measure": self._measure,
            "clock": self.clock,
            "date": self.date,
            "week": self._week,
            "phone": self.phone,
            "digits": self.digits,
            "name": self.name,
            "who": self._who,
            "verb2": lambda: zh_words(choose(lexicon.TRANSITIVE_VERBS)),
        }
        for slot, words in (
            ("open", lexicon.OPEN_VERBS),
            ("room", lexicon.ROOMS),
            ("device", lexicon.DEVICES),
            ("media", lexicon.MEDIA_VERBS),
            ("thing", lexicon.THINGS),
            ("topic", lexicon.TOPICS),
            ("goods", lexicon.GOODS),
            ("vehicle", lexicon.VEHICLES),
            ("city", lexicon.CITIES),
            ("place", lexicon.PLACES),
            ("company", lexicon.COMPANIES),
            ("title", lexicon.TITLES),
            ("people", lexicon.PEOPLE),
            ("verb", lexicon.TRANSITIVE_VERBS),
            ("action", lexicon.ACTIONS),
            ("adjective", lexicon.ADJECTIVES),
            ("degree", lexicon.DEGREES),
            ("weather", lexicon.WEATHER),
            ("greeting", lexicon.GREETINGS),
            ("day", lexicon.DAYS),
            ("part", lexicon.DAY_PARTS),
            ("counter", lexicon.COUNTERS),
        ):
            self._slots[slot] = lambda words=words: zh_words(choose(words))  # type: ignore[misc]

    def sentence(self) -> Sentence:
        """One sentence with closing punctuation."""
        rng = self._rng
        kind = rng.random()
        from_template = kind < 0.40
        if from_template:
            words = self.fill(rng.choice(TEMPLATES))
        elif kind < 0.54:
            words = [*self._digit_runs(), *zh_words("。")]
        elif kind < 0.62:
            words = [*self._random_number(), *zh_words("。")]
        else:
            words = [*self._random_sequence(), *zh_words("。")]
        return Sentence(tuple(words), "zh", from_template=from_template)

    def fill(self, template: str) -> list[SentenceWord]:
        """The words of a template such as those of `TEMPLATES`, its slots filled."""
        words: list[SentenceWord] = []
        for part in template.split():
            slot = part.strip("{}")
            words += self._slots[slot]() if part.startswith("{") else zh_words(part)
        return words

    def _digit_runs(self) -> list[SentenceWord]:
        words = self.digits() if self._rng.random() < 0.7 else self.phone()
        if self._rng.random() < 0.2:
            words += [*zh_words("，"), *self.digits()]
        return words

    def _random_number(self) -> list[SentenceWord]:
        kinds = ("number", "decimal", "amount", "clock", "date", "percent", "measure", "ordinal")
        words = self._slots[self._rng.choice(kinds)]()
        if self._rng.random() < 0.3:
            words += [*zh_words("，"), *self._slots[self._rng.choice(kinds)]()]
        return words

    def _random_sequence(self) -> list[SentenceWord]:
        """Random words without grammar, so that the model cannot lean on the templates."""
        rng = self._rng
        words: list[SentenceWord] = []
        for _ in range(rng.choices((1, 2, 3, 4, 5, 6, 7, 8), (3, 4, 6, 6, 5, 4, 2, 1))[0]):
            kind = rng.random()
            if kind < 0.78:
                words += zh_words(rng.choice(lexicon.RANDOM_WORDS))
            elif kind < 0.86:
                words += self.name()
            elif kind < 0.95:
                words += self._slots[rng.choice(("number", "measure", "clock", "amount"))]()
                words += zh_words("，")
            else:
                words += zh_words("，")
        while words and words[-1].is_punctuation:
            words.pop()
        while words and words[0].is_punctuation:
            words.pop(0)
        return _drop_repeated_commas(words) or zh_words(rng.choice(lexicon.RANDOM_WORDS))

    def digits(self) -> list[SentenceWord]:
        """A string of two to twelve digits, read digit by digit."""
        run = [self._rng.randrange(10) for _ in range(self._rng.randrange(2, 13))]
        return number("".join(DIGITS[d] for d in run), "".join(map(str, run)))

    def phone(self) -> list[SentenceWord]:
        """Eleven digits from 1; one is read 幺 half of the time."""
        rng = self._rng
        run = [1, rng.choice((3, 5, 7, 8, 9)), *(rng.randrange(10) for _ in range(9))]
        spoken = "".join(DIGITS[d] for d in run)
        if rng.random() < 0.5:
            spoken = spoken.replace("一", "幺")
        return number(spoken, "".join(map(str, run)))

    def integer(self) -> list[SentenceWord]:
        value = random_integer(self._rng)
        return number(integer_characters(value), str(value))

    def decimal(self) -> list[SentenceWord]:
        rng = self._rng
        whole = rng.randrange(0, 200)
        fraction = "".join(str(rng.randrange(10)) for _ in range(rng.randrange(1, 4)))
        spoken = integer_characters(whole) + "点" + "".join(DIGITS[int(d)] for d in fraction)
        return number(spoken, f"{whole}.{fraction}")

    def _negative(self) -> list[SentenceWord]:
        value = self._rng.randrange(1, 40)
        return number("负" + integer_characters(value), f"-{value}")

    def _percent(self) -> list[SentenceWord]:
        value = self._rng.randrange(1, 101)
        return number("百分之" + integer_characters(value), f"{value}%")

    def _ordinal(self) -> list[SentenceWord]:
        value = self._rng.randrange(1, 100)
        return zh_words("第") + number(integer_characters(value), str(value))

    def amount(self) -> list[SentenceWord]:
        """Money: yuan, yuan and jiao, or colloquial kuai and mao."""
        rng = self._rng
        value = random_integer(rng)
        words = number(integer_characters(value), str(value))
        kind = rng.random()
        if kind < 0.4:
            return words + zh_words("元")
        if kind < 0.7:
            return words + zh_words("块 钱")
        major, minor = ("元", "角") if kind < 0.85 else ("块", "毛")
        tenth = rng.randrange(1, 10)
        return words + zh_words(major) + number(DIGITS[tenth], str(tenth)) + zh_words(minor)

    def _measure(self) -> list[SentenceWord]:
        rng = self._rng
        if rng.random() < 0.3:
            value, spoken = 2, "两"
        else:
            value = random_integer(rng)
            spoken = integer_characters(value)
        return number(spoken, str(value)) + zh_words(rng.choice(lexicon.UNITS + lexicon.COUNTERS))

    def clock(self) -> list[SentenceWord]:
        """A time of day: hour, and nothing, half, a quarter or minutes."""
        rng = self._rng
        hour = rng.randrange(0, 24)
        spoken = "两" if hour == 2 else integer_characters(hour)
        words = number(spoken, str(hour)) + zh_words("点")
        kind = rng.random()
        if kind < 0.3:
            return words
        if kind < 0.45:
            return words + zh_words("半")
        if kind < 0.55:
            return words + zh_words(rng.choice(("一 刻", "三 刻")))
        minute = rng.randrange(1, 60)
        spoken = integer_characters(minute) if minute > 9 else "零" + DIGITS[minute]
        return words + number(spoken, f"{minute:02d}") + zh_words("分")

    def date(self) -> list[SentenceWord]:
        rng = self._rng
        words: list[SentenceWord] = []
        if rng.random() < 0.5:
            year = rng.randrange(1950, 2040)
            words += number("".join(DIGITS[int(d)] for d in str(year)), str(year))
            words += zh_words("年")
        month, day = rng.randrange(1, 13), rng.randrange(1, 32)
        words += number(integer_characters(month), str(month)) + zh_words("月")
        words += number(integer_characters(day), str(day))
        return words + zh_words(rng.choice(("日", "号")))

    def _week(self) -> list[SentenceWord]:
        days = "一二三四五六日天"[: 7 if self._rng.random() < 0.8 else 8]
        return zh_words(self._rng.choice(("星期", "周"))) + zh_words(self._rng.choice(days))

    def name(self) -> list[SentenceWord]:
        """A person's name, or family name and title."""
        family = zh_words(self._rng.choice(lexicon.FAMILY_NAMES))
        if self._rng.random() < 0.2:
            return family + zh_words(self._rng.choice(lexicon.TITLES))
        return family + zh_words(self._rng.choice(lexicon.GIVEN_NAMES))

    def _who(self) -> list[SentenceWord]:
        kind = self._rng.random()
        if kind < 0.4:
            return zh_words(self._rng.choice(lexicon.PRONOUNS))
        if kind < 0.65:
            return zh_words(self._rng.choice(lexicon.PEOPLE))
        return self.name()


def _drop_repeated_commas(words: list[SentenceWord]) -> list[SentenceWord]:
    kept: list[SentenceWord] = []
    for word in words:
        if not (word.is_punctuation and kept and kept[-1].is_punctuation):
            kept.append(word)
    return kept


def vocabulary(sample_size: int = 60_000, seed: int = 7) -> list[str]:
    """Every character the grammar can produce, sorted by code point."""
    grammar = MandarinGrammar(random.Random(seed))
    return sorted({c for _ in range(sample_size) for c in grammar.sentence().spoken()})
