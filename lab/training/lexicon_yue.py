"""Cantonese words with jyutping, in the simplified characters SenseVoice writes."""

from __future__ import annotations

from .chinese_numbers import DIGITS, integer_characters

# Role: each word=its sound
WORDS = """
greeting: 你好=nei5 hou2, 唔该=m4 goi1, 多谢=do1 ze6, 早晨=zou2 san4, 再见=zoi3 gin3
who: 我=ngo5, 你=nei5, 佢=keoi5, 我哋=ngo5 dei6, 佢哋=keoi5 dei6
day: 今日=gam1 jat6, 听日=ting1 jat6, 寻日=cam4 jat6, 后日=hau6 jat6
part: 而家=ji4 gaa1, 朝早=ziu1 zou2, 下昼=haa6 zau3, 夜晚=je6 maan5
city: 香港=hoeng1 gong2, 九龙=gau2 lung4, 广州=gwong2 zau1, 深圳=sam1 zan3, 北京=bak1 ging1, 上海=soeng6 hoi2
place: 屋企=uk1 kei2, 公司=gung1 si1, 学校=hok6 haau6, 机场=gei1 coeng4, 医院=ji1 jyun2, 银行=ngan4 hong4
device: 电视=din6 si6, 电话=din6 waa2, 冷气=laang5 hei3, 灯=dang1, 门=mun4, 音乐=jam1 ngok6
open: 开=hoi1, 关=gwaan1, 停=ting4
verb: 想=soeng2, 要=jiu3, 有=jau5, 冇=mou5, 中意=zung1 ji3, 知道=zi1 dou3
action: 食饭=sik6 faan6, 饮茶=jam2 caa4, 返工=faan1 gung1, 放工=fong3 gung1, 开会=hoi1 wui2, 瞓觉=fan3 gaau3
goods: 水=seoi2, 咖啡=gaa3 fe1, 苹果=ping4 gwo2, 牛奶=ngau4 naai5, 面包=min6 baau1
person: 陈先生=can4 sin1 saang1, 李小姐=lei5 siu2 ze2, 张老师=zoeng1 lou5 si1, 妈妈=maa4 maa1, 爸爸=baa4 baa1, 朋友=pang4 jau5, 学生=hok6 saang1
vehicle: 地铁=dei6 tit3, 巴士=baa1 si2, 飞机=fei1 gei1
weather: 落雨=lok6 jyu5, 好热=hou2 jit6, 好冻=hou2 dung3
adjective: 靓=leng3, 大=daai6, 快=faai3, 贵=gwai3
unit: 蚊=man1, 个=go3, 分钟=fan1 zung1, 度=dou6, 公里=gung1 lei5
question: 乜嘢=mat1 je5, 边度=bin1 dou6, 边个=bin1 go3, 几多=gei2 do1, 点样=dim2 joeng2, 几时=gei2 si4
other: 系=hai6, 唔系=m4 hai6, 嘅=ge3, 喺=hai2, 去=heoi3, 同=tung4, 好=hou2, 天气=tin1 hei3, 号码=hou6 maa5, 会议=wui6 ji5, 时间=si4 gaan3, 呀=aa3, 买=maai5, 睇=tai2, 钱=cin2, 点=dim2
"""  # noqa: E501
TEMPLATES: tuple[str, ...] = (
    "唔该 {open} {device} 。",
    "{day} {city} 天气 点样 ？",
    "{city} {day} {weather} 。",
    "{who} {day} 去 {place} 。",
    "{who} {verb} {goods} 。",
    "{who} 喺 {place} {action} 。",
    "{person} 喺 边度 ？",
    "边个 {verb} {goods} ？",
    "{person} 系 边个 ？",
    "{goods} 几多 钱 ？",
    "{goods} {number} 蚊 。",
    "{number} {unit} {goods} 。",
    "我 嘅 电话 号码 系 {digits} 。",
    "{day} {part} {small} 点 {action} 。",
    "会议 {part} {small} 点 。",
    "{greeting} ， {person} 。",
    "{vehicle} 去 {city} ， {number} 分钟 。",
    "{person} 嘅 {device} 好 {adjective} 。",
    "{who} 几时 {action} 呀 ？",
    "{who} 同 {person} 去 {city} 。",
)
COMMA, FULL_STOP = "，", "。"
_DIGIT_SOUNDS = "ling4 jat1 ji6 saam1 sei3 ng5 luk6 cat1 baat3 gau2 sap6 baak3 cin1 maan6"
_DIGITS = dict(zip("零一二三四五六七八九十百千万", _DIGIT_SOUNDS.split(), strict=True))


def digit(value: int) -> tuple[str, str]:
    """One digit as (text, jyutping)."""
    text = DIGITS[value]
    return text, _DIGITS[text]


def number(value: int) -> list[tuple[str, str]]:
    """A number read the Chinese way, one (character, jyutping) each."""
    return [(character, _DIGITS[character]) for character in integer_characters(value)]
