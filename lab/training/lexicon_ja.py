"""Japanese words with the kana the synthesiser reads; particles in their spoken form."""

from __future__ import annotations

# Role: each word=its sound
WORDS = """
greeting: こんにちは=こんにちわ, ありがとう=ありがとう, おはよう=おはよう, さようなら=さようなら, すみません=すみません, はい=はい, いいえ=いいえ
day: 今日=きょう, 明日=あした, 昨日=きのう
part: 朝=あさ, 午前=ごぜん, 午後=ごご, 夜=よる, 今=いま
city: 東京=とうきょう, 大阪=おおさか, 京都=きょうと, 北京=ぺきん, 上海=しゃんはい
place: 会社=かいしゃ, 学校=がっこう, 病院=びょういん, 銀行=ぎんこう, 駅=えき, 空港=くうこう, ホテル=ほてる, 家=いえ
device: テレビ=てれび, 電気=でんき, 窓=まど, ドア=どあ, エアコン=えあこん
thing: 音楽=おんがく, 電話=でんわ, 会議=かいぎ, 天気=てんき, 名前=なまえ
goods: 水=みず, お茶=おちゃ, コーヒー=こーひー, りんご=りんご, 本=ほん, パン=ぱん
vehicle: 車=くるま, 電車=でんしゃ, 飛行機=ひこうき
person: 先生=せんせい, 学生=がくせい, 友達=ともだち, 田中さん=たなかさん, 鈴木さん=すずきさん, 佐藤さん=さとうさん, 私=わたし, 母=はは, 父=ちち
go: 行きます=いきます, 来ます=きます, 帰ります=かえります
take: 食べます=たべます, 飲みます=のみます, 見ます=みます, 聞きます=ききます, 買います=かいます
command: 開けて=あけて, 閉めて=しめて, つけて=つけて, 消して=けして
adjective: 大きい=おおきい, 小さい=ちいさい, 暑い=あつい, 寒い=さむい, 新しい=あたらしい
unit: 円=えん, 度=ど, 人=にん, 番=ばん, キロ=きろ
question: 何=なん, いくら=いくら, どこ=どこ, いつ=いつ, 誰=だれ
other: です=です, ですか=ですか, あります=あります, ください=ください, は=わ, が=が, の=の, を=お, と=と, へ=え, から=から, 番号=ばんごう, 電話番号=でんわばんごう, とても=とても
"""  # noqa: E501
TEMPLATES: tuple[str, ...] = (
    "{device} を {command} ください 。",
    "{day} の {city} の 天気 は 何 ですか ？",
    "{city} は {day} {adjective} です 。",
    "{person} は {place} へ {go} 。",
    "{person} は {day} {city} へ {go} 。",
    "{person} は {goods} を {take} 。",
    "{person} と {person} は {goods} を {take} 。",
    "{goods} は いくら ですか ？",
    "{goods} は {number} 円 です 。",
    "{place} は どこ ですか ？",
    "{thing} は いつ ですか ？",
    "{person} は 誰 ですか ？",
    "電話番号 は {digits} です 。",
    "{person} の 番号 は {digits} です 。",
    "会議 は {day} {part} です 。",
    "{greeting} 、 {person} 。",
    "{city} から {city} へ {vehicle} が あります 。",
    "{person} の {vehicle} は とても {adjective} です 。",
    "{day} は {number} 度 です 。",
    "{number} {unit} です 。",
    "{city} から {number} キロ です 。",
)
COMMA, FULL_STOP = "、", "。"
_DIGIT_SOUNDS = ["ぜろ", "いち", "に", "さん", "よん", "ご", "ろく", "なな", "はち", "きゅう"]
_DIGIT_TEXTS = ["ゼロ", *"一二三四五六七八九"]
_HUNDRED_SOUNDS = {3: "さんびゃく", 6: "ろっぴゃく", 8: "はっぴゃく"}
_THOUSAND_SOUNDS = {3: "さんぜん", 8: "はっせん"}


def digit(value: int) -> tuple[str, str]:
    """One digit as (text, kana)."""
    return _DIGIT_TEXTS[value], _DIGIT_SOUNDS[value]


def number(value: int) -> list[tuple[str, str]]:
    """A number below 10^8 as (text, kana) groups, with the irregular hundreds and thousands."""
    if value == 0:
        return [digit(0)]
    upper, lower = divmod(value, 10_000)
    words = [*_below_ten_thousand(upper), ("万", "まん")] if upper else []
    return words + _below_ten_thousand(lower)


def _below_ten_thousand(value: int) -> list[tuple[str, str]]:
    words: list[tuple[str, str]] = []
    for unit, name, sound, irregular in (
        (1000, "千", "せん", _THOUSAND_SOUNDS),
        (100, "百", "ひゃく", _HUNDRED_SOUNDS),
        (10, "十", "じゅう", {}),
    ):
        count, value = divmod(value, unit)
        if count == 1:
            words.append((name, sound))
        elif count:
            text, digit_sound = digit(count)
            words.append((text + name, irregular.get(count, digit_sound + sound)))
    return words + ([digit(value)] if value else [])
